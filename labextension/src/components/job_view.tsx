import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { elapsedS, formatBytes, formatDuration, formatMoment, formatUsd, costUsd, isRunning } from '../model/format';
import { OpenJobModel } from '../model/open_job';
import { IArtefact, IAttempt, IFailure, IJobDetails, IJobRow } from '../tokens';
import { LogView } from './log_view';
import { MetricsView } from './metrics_view';
import { ProblemMessage } from './problem_message';
import { Facts, Section } from './section';
import { StatusBadge } from './status_badge';
import { namePhase, nameSetting, nameTarget } from './texts';
import { Timeline } from './timeline';
import { useNow, useSignal } from './use_signal';

/** What can be done with the job that is looked at. */
export interface IJobActions {
  back: (() => void) | null;
  stop: () => void;
  replay: () => void;
  attach: () => void;
  copyName: () => void;
  downloadLog: () => void;
  downloadArtefact: (artefact: IArtefact) => void;
  openLarge: (() => void) | null;
}

interface IProps {
  job: OpenJobModel;
  actions: IJobActions;
  trans: TranslationBundle;
}

/** One job: why it failed first, then what it did, said and left. */
export function JobView({ job, actions, trans }: IProps): JSX.Element {
  useSignal(job.changed);
  const { row, details } = job;
  return (
    <article className="sm-Job" aria-label={trans.__('Training job %1', job.name)}>
      <header>
        {actions.back && (
          <button type="button" className="sm-Button" onClick={actions.back}>
            ← {trans.__('All jobs')}
          </button>
        )}
        <h3 title={job.name}>{job.name}</h3>
      </header>
      {job.problem && <ProblemMessage problem={job.problem} trans={trans} />}
      {row && <Summary row={row} job={job} trans={trans} />}
      {details?.failure && <Failure failure={details.failure} trans={trans} />}
      <Actions job={job} row={row} actions={actions} trans={trans} />
      {details && (
        <Section title={trans.__('Phases')}>
          <Timeline phases={details.phases} running={isRunning(details.row)} trans={trans} />
        </Section>
      )}
      {details && details.attempts.length > 0 && (
        <Section title={trans.__('Attempts')}>
          <Facts rows={details.attempts.map(attempt => describeAttempt(attempt, trans))} />
        </Section>
      )}
      {job.courses.length > 0 && (
        <Section title={trans.__('Metrics')}>
          <MetricsView courses={job.courses} trans={trans} />
        </Section>
      )}
      <Section title={trans.__('Log')}>
        <LogView log={job.log} trans={trans} onDownload={actions.downloadLog} />
      </Section>
      {details && <Rest job={job} details={details} actions={actions} trans={trans} />}
    </article>
  );
}

function Summary({ row, job, trans }: { row: IJobRow; job: OpenJobModel; trans: TranslationBundle }): JSX.Element {
  const now = useNow(isRunning(row));
  const count = row.instanceCount > 1 ? ` × ${row.instanceCount}` : '';
  const facts: [string, string][] = [
    [trans.__('Ran for'), formatDuration(elapsedS(row, now))],
    [trans.__('Created'), formatMoment(row.createdMs, now)],
    [trans.__('Runs on'), `${row.instanceType ?? '?'}${count}, ${nameTarget(row.target, trans)}`],
    [trans.__('Cost'), explainCost(row, now, trans)]
  ];
  if (row.spot) {
    facts.push([trans.__('Spot'), trans._n('%1 interruption', '%1 interruptions', row.interruptions)]);
  }
  if (row.notebook) {
    facts.push([trans.__('From'), row.cell ? trans.__('%1, cell %2', row.notebook, row.cell) : row.notebook]);
  }
  return (
    <div className="sm-Job-summary">
      <p role="status">
        <StatusBadge row={row} stopping={job.jobs.isStopping(row.name)} trans={trans} />
      </p>
      <Facts rows={facts} />
    </div>
  );
}

/** What a job costs: estimated, since only AWS knows what it bills; nothing on this computer. */
function explainCost(row: IJobRow, now: number, trans: TranslationBundle): string {
  const cost = costUsd(row, now);
  if (row.target === 'local') {
    return cost === null
      ? trans.__('no charge')
      : trans.__('no charge (on SageMaker about %1 on demand)', formatUsd(cost));
  }
  return cost === null ? trans.__('price unknown') : trans.__('about %1 at on-demand prices', formatUsd(cost));
}

function Failure({ failure, trans }: { failure: IFailure; trans: TranslationBundle }): JSX.Element {
  return (
    <div className="sm-Failure" role="alert">
      <strong>{failure.headline || trans.__('It failed without saying why.')}</strong>
      {failure.kind && (
        <p>
          {failure.kind}
          {failure.exitCode && ` ${trans.__('Exit code %1.', failure.exitCode)}`}
        </p>
      )}
      {failure.text && <pre>{failure.text}</pre>}
    </div>
  );
}

/** `2` and `42 s, Interrupted, 3.0 s of work lost`. */
function describeAttempt(attempt: IAttempt, trans: TranslationBundle): [string, string] {
  const parts = [
    attempt.durationS === null ? trans.__('runs') : formatDuration(attempt.durationS),
    attempt.cause && namePhase(attempt.cause, trans)
  ];
  if (attempt.resumedStep !== null) {
    parts.unshift(trans.__('from step %1', attempt.resumedStep));
  }
  if (attempt.lostS === null) {
    parts.push(trans.__('lost work not known'));
  } else if (attempt.lostS > 0) {
    const lost = formatDuration(attempt.lostS);
    parts.push(attempt.lostIsEstimate ? trans.__('about %1 of work lost', lost) : trans.__('%1 of work lost', lost));
  }
  if (attempt.instanceType) {
    parts.unshift(attempt.spot ? trans.__('%1 (spot)', attempt.instanceType) : attempt.instanceType);
  }
  return [trans.__('Attempt %1', attempt.number), parts.filter(Boolean).join(', ')];
}

interface IActionsProps extends IProps {
  row: IJobRow | null;
}

function Actions({ job, row, actions, trans }: IActionsProps): JSX.Element {
  const running = row !== null && isRunning(row);
  const stopping = job.jobs.isStopping(job.name) || row?.status === 'Stopping';
  return (
    <div className="sm-Actions" role="toolbar" aria-label={trans.__('Job actions')}>
      {running && (
        <button type="button" className="sm-Button sm-mod-warn" disabled={stopping} onClick={actions.stop}>
          {stopping ? trans.__('Stopping …') : trans.__('Stop')}
        </button>
      )}
      {!running && (
        <button type="button" className="sm-Button" onClick={actions.replay}>
          {trans.__('Run again')}
        </button>
      )}
      <button type="button" className="sm-Button" onClick={actions.attach}>
        {trans.__('Insert attach code')}
      </button>
      <button type="button" className="sm-Button" onClick={actions.copyName}>
        {trans.__('Copy name')}
      </button>
      {actions.openLarge && (
        <button type="button" className="sm-Button" onClick={actions.openLarge}>
          {trans.__('Open in a tab')}
        </button>
      )}
    </div>
  );
}

function Rest(props: IProps & { details: IJobDetails }): JSX.Element {
  const { details, job, actions, trans } = props;
  const settings = details.settings.map(({ name, value }): [string, string] => [nameSetting(name, trans), `${value}`]);
  const environment = details.environmentNames.filter(name => !name.startsWith('SM_REMOTE'));
  return (
    <>
      {job.artefacts && (
        <Section title={trans.__('Files it left')} folded={job.artefacts.length === 0}>
          <Artefacts files={job.artefacts} actions={actions} trans={trans} />
          <p className="sm-Uri">{details.outputUri}</p>
        </Section>
      )}
      {details.inputs.length > 0 && (
        <Section title={trans.__('Inputs')} folded={false}>
          <Facts rows={details.inputs.map(input => [input.channel, input.uri])} />
        </Section>
      )}
      {details.checkpointUri && (
        <Section title={trans.__('Checkpoints')} folded={false}>
          {details.checkpointNote && <p role="status">{details.checkpointNote}</p>}
          <p className="sm-Uri">{details.checkpointUri}</p>
        </Section>
      )}
      <Section title={trans.__('Settings used')} folded={true}>
        <Facts rows={settings} />
        {environment.length > 0 && (
          <p>{trans.__('Environment variables (values are not shown): %1', environment.join(', '))}</p>
        )}
      </Section>
      {Object.keys(details.hyperparameters).length > 0 && (
        <Section title={trans.__('Hyperparameters')} folded={true}>
          <Facts rows={Object.entries(details.hyperparameters)} />
        </Section>
      )}
      <Section title={trans.__('Tags')} folded={true}>
        <Facts rows={Object.entries(details.tags)} />
      </Section>
    </>
  );
}

interface IArtefactsProps {
  files: readonly IArtefact[];
  actions: IJobActions;
  trans: TranslationBundle;
}

function Artefacts({ files, actions, trans }: IArtefactsProps): JSX.Element {
  if (files.length === 0) {
    return <p className="sm-Hint">{trans.__('None. What a function saves into SM_MODEL_DIR would be here.')}</p>;
  }
  return (
    <ul className="sm-Artefacts">
      {files.map(file => (
        <li key={file.path}>
          <span>{file.path}</span>
          <span>{formatBytes(file.sizeBytes)}</span>
          <button
            type="button"
            className="sm-Button"
            aria-label={trans.__('Download %1', file.path)}
            onClick={() => actions.downloadArtefact(file)}
          >
            {trans.__('Download')}
          </button>
        </li>
      ))}
    </ul>
  );
}
