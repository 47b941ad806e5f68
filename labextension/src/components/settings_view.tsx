import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { formatDuration, formatUsd } from '../model/format';
import { NotebookSettings } from '../model/notebook_settings';
import { IEstimate, IInstanceType, IJudgement } from '../tokens';
import { ProblemMessage } from './problem_message';
import { Section } from './section';
import { SettingField } from './setting_field';
import { nameGroup, nameSetting } from './texts';
import { useSignal } from './use_signal';

interface IProps {
  settings: NotebookSettings;
  types: readonly IInstanceType[];
  trans: TranslationBundle;
  onCopy: () => void;
}

/** What only jobs on SageMaker need. */
const FOR_SAGEMAKER: ReadonlySet<string> = new Set([
  ...['region', 'role', 'subnets', 'security_group_ids', 'encrypt_inter_container_traffic', 'max_retry_attempts'],
  ...['s3_kms_key', 'volume_kms_key', 'bucket_owner', 'training_plan_arn', 'max_pending_time_in_seconds'],
  ...['training_repository_access_mode', 'training_repository_credentials_provider_arn', 'enable_remote_debug'],
  ...['enable_infra_check', 'enable_session_tag_chaining', 'enable_sagemaker_metrics']
]);
/** What only jobs on this computer need. */
const FOR_LOCAL: ReadonlySet<string> = new Set([
  ...['engine', 'container_credentials', 'service_max_parallel_jobs', 'service_idle_s']
]);
const OPEN_AT_FIRST: ReadonlySet<string> = new Set(['where', 'machine', 'spot', 'warm_pool']);

/** The settings of a notebook's training jobs. */
export function SettingsView({ settings, types, trans, onCopy }: IProps): JSX.Element {
  useSignal(settings.changed);
  const judgement = settings.judgement;
  if (judgement === null) {
    return settings.problem ? (
      <ProblemMessage problem={settings.problem} trans={trans} />
    ) : (
      <p className="sm-Hint">{trans.__('Looking at the settings …')}</p>
    );
  }
  return (
    <form className="sm-Settings" onSubmit={event => event.preventDefault()}>
      <Notices settings={settings} judgement={judgement} trans={trans} />
      <Estimate estimate={judgement.estimate} trans={trans} />
      {chooseGroups(judgement, settings).map(group => (
        <Section key={group.name} title={describeGroup(group, settings, trans)} folded={!OPEN_AT_FIRST.has(group.name)}>
          {excludes(group.name, settings, judgement) && (
            <p className="sm-Hint" role="note">
              {group.name === 'spot'
                ? trans.__('A warm pool is set below: spot capacity excludes it. Choose one of them.')
                : trans.__('Spot capacity is set above: a warm pool excludes it. Choose one of them.')}
            </p>
          )}
          <Fields names={group.settings} settings={settings} judgement={judgement} types={types} trans={trans} />
        </Section>
      ))}
      <div className="sm-Actions">
        <button type="button" className="sm-Button" onClick={onCopy}>
          {trans.__('Copy as decorator')}
        </button>
        <button
          type="button"
          className="sm-Button"
          disabled={Object.keys(settings.values).length === 0}
          onClick={() => void settings.reset()}
        >
          {trans.__('Reset all')}
        </button>
      </div>
      <p className="sm-Hint" role="status">
        {describeUse(settings, trans)}
      </p>
    </form>
  );
}

type Group = IJudgement['groups'][number];

/** The groups with what matters where the jobs run, and with what the notebook sets anyhow. */
function chooseGroups(judgement: IJudgement, settings: NotebookSettings): Group[] {
  const isLocal = judgement.settings.find(setting => setting.name === 'target')?.value === 'local';
  const passedOver = isLocal ? FOR_SAGEMAKER : FOR_LOCAL;
  return judgement.groups
    .map(group => ({
      ...group,
      settings: group.settings.filter(name => !passedOver.has(name) || name in settings.values)
    }))
    .filter(group => group.settings.length > 0);
}

/** A group's name, and how many of its settings the notebook sets: a closed one would not tell. */
function describeGroup(group: Group, settings: NotebookSettings, trans: TranslationBundle): string {
  const name = nameGroup(group.name, trans);
  const count = group.settings.filter(each => each in settings.values).length;
  return count === 0 || OPEN_AT_FIRST.has(group.name) ? name : trans.__('%1 (%2 set here)', name, count);
}

function describeUse(settings: NotebookSettings, trans: TranslationBundle): string {
  if (!settings.settled) {
    return trans.__('Looking at the settings …');
  }
  if (Object.keys(settings.judgement?.problems ?? {}).length > 0) {
    return trans.__('The next call in this notebook goes without the values that are wrong.');
  }
  return settings.connected
    ? trans.__('The next call in this notebook uses these settings.')
    : trans.__('The next call in this notebook reads these settings from its file.');
}

interface IFieldsProps {
  names: readonly string[];
  settings: NotebookSettings;
  judgement: IJudgement;
  types: readonly IInstanceType[];
  trans: TranslationBundle;
}

function Fields({ names, settings, judgement, types, trans }: IFieldsProps): JSX.Element {
  const known = new Map(judgement.settings.map(setting => [setting.name, setting]));
  return (
    <>
      {names.map(name => {
        const setting = known.get(name);
        return setting === undefined ? null : (
          <SettingField
            key={name}
            setting={setting}
            own={settings.values[name]}
            usual={judgement.usual[name]}
            problem={judgement.problems[name]}
            private={judgement.private[name]}
            overridden={settings.overridden.includes(name)}
            types={types}
            trans={trans}
            onChange={value => void settings.set(name, value)}
            onKeepForUser={value => void settings.keepForUser(name, value)}
          />
        );
      })}
    </>
  );
}

function Notices(props: { settings: NotebookSettings; judgement: IJudgement; trans: TranslationBundle }): JSX.Element {
  const { settings, judgement, trans } = props;
  const held = Object.entries(judgement.held);
  return (
    <>
      {settings.problem && <ProblemMessage problem={settings.problem} trans={trans} />}
      {settings.refusal && <ProblemMessage problem={settings.refusal} trans={trans} />}
      {judgement.conflict && <ProblemMessage problem={judgement.conflict} trans={trans} />}
      {held.length > 0 && (
        <div className="sm-Held" role="alertdialog" aria-label={trans.__('This notebook asks for settings')}>
          <strong>{trans.__('This notebook, which you have not trusted, asks for:')}</strong>
          <ul>
            {held.map(([name, value]) => (
              <li key={name}>
                {nameSetting(name, trans)}: <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
              </li>
            ))}
          </ul>
          <p>{trans.__('Until you confirm it, its jobs run without.')}</p>
          <div className="sm-Actions">
            <button type="button" className="sm-Button" onClick={() => void settings.confirm()}>
              {trans.__('Confirm')}
            </button>
            <button type="button" className="sm-Button" onClick={() => void settings.drop(Object.keys(judgement.held))}>
              {trans.__('Remove from the notebook')}
            </button>
          </div>
        </div>
      )}
    </>
  );
}

function Estimate({ estimate, trans }: { estimate: IEstimate; trans: TranslationBundle }): JSX.Element {
  return (
    <p className="sm-Estimate" role="status">
      {describeEstimate(estimate, trans)}
    </p>
  );
}

function describeEstimate(estimate: IEstimate, trans: TranslationBundle): string {
  const { priceUsdPerHour: price, mostUsd, free } = estimate;
  const source = [estimate.region, estimate.origin].filter(Boolean).join('; ');
  if (free) {
    return price === null
      ? trans.__('No charge on this computer. On SageMaker: price unknown.')
      : trans.__('No charge on this computer. On SageMaker: about %1/h (%2).', formatUsd(price), source);
  }
  if (price === null || mostUsd === null) {
    return trans.__('The price of this instance type is not known here.');
  }
  return trans.__(
    'About %1/h on demand (%2); at most %3 in the %4 that a job may run.',
    formatUsd(price),
    source,
    formatUsd(mostUsd),
    formatDuration(estimate.maxRuntimeS)
  );
}

/** Whether the other one of spot capacity and warm pool is chosen. */
function excludes(group: string, settings: NotebookSettings, judgement: IJudgement): boolean {
  const value = (name: string) =>
    settings.values[name] ?? judgement.settings.find(setting => setting.name === name)?.value;
  if (group === 'warm_pool') {
    return value('use_spot_instances') === true;
  }
  return group === 'spot' && !!value('keep_alive_period_in_seconds');
}
