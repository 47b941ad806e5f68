import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';

import { parseLines, parsePairs, readNumber, showLines, showPairs } from '../model/setting_text';
import { ISettingSchema } from '../tokens';

export interface IInputProps {
  id: string;
  value: unknown;
  schema: ISettingSchema;
  describedBy: string;
  invalid: boolean;
  trans: TranslationBundle;
  onChange: (value: unknown) => void;
}

/** The input that fits what a setting takes. What it holds is judged by Python, not here. */
export function SettingInput(props: IInputProps): JSX.Element {
  const { type, choices } = props.schema;
  if (choices.length > 0) {
    return <ChoiceInput {...props} />;
  }
  if (type.includes('boolean')) {
    return <FlagInput {...props} />;
  }
  if (type.includes('integer') || type.includes('number')) {
    return <TextInput {...props} show={value => `${value ?? ''}`} read={readNumber} rows={1} />;
  }
  if (type.includes('object')) {
    return <TextInput {...props} show={showPairs} read={parsePairs} rows={3} />;
  }
  if (type.includes('array')) {
    return <TextInput {...props} show={showLines} read={text => parseLines(text, props.schema)} rows={3} />;
  }
  return <TextInput {...props} show={value => `${value ?? ''}`} read={text => text.trim() || undefined} rows={1} />;
}

function ChoiceInput({ id, value, schema, describedBy, onChange }: IInputProps): JSX.Element {
  return (
    <HTMLSelect
      id={id}
      aria-describedby={describedBy}
      value={`${value}`}
      options={schema.choices}
      onChange={event => onChange(event.target.value)}
    />
  );
}

function FlagInput({ id, value, describedBy, onChange }: IInputProps): JSX.Element {
  return (
    <input
      id={id}
      type="checkbox"
      aria-describedby={describedBy}
      checked={value === true}
      onChange={event => onChange(event.target.checked)}
    />
  );
}

interface ITextProps extends IInputProps {
  show: (value: unknown) => string;
  /** Undefined for what means "not set". */
  read: (text: string) => unknown;
  rows: number;
}

/** Text that is taken when one leaves the field or presses Enter. */
function TextInput({ id, value, describedBy, invalid, show, read, rows, schema, onChange }: ITextProps): JSX.Element {
  const known = show(value);
  const [text, setText] = useState(known);
  useEffect(() => setText(known), [known]);
  const commit = () => text !== known && onChange(read(text));
  const common = {
    id,
    className: 'jp-mod-styled',
    'aria-describedby': describedBy,
    'aria-invalid': invalid,
    spellCheck: false,
    value: text,
    onBlur: commit
  };
  if (rows > 1) {
    const filled = Math.min(8, Math.max(2, text.split('\n').length));
    const hint = schema.type.includes('object') ? 'NAME=value' : '';
    return <textarea {...common} rows={filled} placeholder={hint} onChange={event => setText(event.target.value)} />;
  }
  return (
    <input
      {...common}
      onChange={event => setText(event.target.value)}
      onKeyDown={event => event.key === 'Enter' && commit()}
    />
  );
}
