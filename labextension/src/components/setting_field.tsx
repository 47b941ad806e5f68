import { TranslationBundle } from '@jupyterlab/translation';
import { undoIcon } from '@jupyterlab/ui-components';
import React, { useId } from 'react';

import { IInstanceType, IProblem, ISetting } from '../tokens';
import { describeType, InstanceTypePicker } from './instance_type_picker';
import { SettingInput } from './setting_inputs';
import { nameOrigin, nameSetting } from './texts';

interface IProps {
  setting: ISetting;
  /** What the notebook says; undefined where it says nothing. */
  own: unknown;
  usual: [unknown, string] | undefined;
  problem: IProblem | undefined;
  /** Why this value stays out of the notebook. */
  private: string | undefined;
  /** Whether the last call set it itself. */
  overridden: boolean;
  types: readonly IInstanceType[];
  trans: TranslationBundle;
  onChange: (value: unknown) => void;
  onKeepForUser: (value: unknown) => void;
}

/** One setting: its value, where that comes from, what is wrong with it, and the way back. */
export function SettingField(props: IProps): JSX.Element {
  const { setting, own, usual, problem, types, trans } = props;
  const id = useId();
  const isOwn = own !== undefined;
  const forUser = setting.private !== null;
  const value = isOwn ? own : setting.value;
  const change = forUser ? props.onKeepForUser : props.onChange;
  const type = setting.name === 'instance_type' ? types.find(each => each.name === value) : undefined;
  const common = { id, value, schema: setting.schema, describedBy: `${id}-about`, trans, onChange: change, invalid: problem !== undefined };
  return (
    <div className={`sm-Field ${isOwn ? 'sm-mod-own' : ''}`} data-setting={setting.name}>
      <div className="sm-Field-head">
        <label htmlFor={id} title={setting.schema.description}>
          {nameSetting(setting.name, trans)}
        </label>
        <span className="sm-Origin" title={setting.origin}>
          {trans.__('from %1', nameOrigin(isOwn ? 'notebook' : setting.origin, trans))}
        </span>
      </div>
      <div className="sm-Field-input">
        {setting.name === 'instance_type' ? (
          <InstanceTypePicker {...common} value={`${value ?? ''}`} types={types} onChange={change} />
        ) : (
          <SettingInput {...common} />
        )}
        {isOwn && (
          <button
            type="button"
            className="sm-IconButton"
            title={trans.__('Back to %1', describeUsual(usual))}
            aria-label={trans.__('Reset %1', nameSetting(setting.name, trans))}
            onClick={() => props.onChange(undefined)}
          >
            <undoIcon.react tag="span" className="sm-Icon" />
          </button>
        )}
      </div>
      <div id={`${id}-about`} className="sm-Field-about">
        {type && <span>{describeType(type, trans)}</span>}
        {forUser && (
          <span title={setting.private ?? ''}>{trans.__('kept in your own settings file, for all notebooks')}</span>
        )}
        {props.overridden && (
          <span className="sm-Field-note" role="note">
            {trans.__('The last call sets this itself, so this value was not used.')}
          </span>
        )}
        {problem && (
          <span className="sm-Field-problem" role="alert">
            {describeProblem(problem)}
          </span>
        )}
        {props.private && (
          <span className="sm-Field-problem" role="alert">
            {props.private} {trans.__('It holds until the kernel restarts, and is not written into the notebook.')}{' '}
            <button type="button" className="sm-Button" onClick={() => props.onKeepForUser(own)}>
              {trans.__('Keep it in my settings file')}
            </button>
          </span>
        )}
      </div>
    </div>
  );
}

/** A value that is wrong by itself needs no more than why; one that does not go with others says what. */
function describeProblem(problem: IProblem): string {
  return [problem.what, problem.why, problem.fix].filter(Boolean).join(' ');
}

function describeUsual(usual: [unknown, string] | undefined): string {
  const value = usual?.[0];
  return value === null || value === undefined ? '—' : typeof value === 'object' ? JSON.stringify(value) : `${value}`;
}
