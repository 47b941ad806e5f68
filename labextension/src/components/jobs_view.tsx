import { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';
import React, { useCallback, useMemo, useRef, useState } from 'react';

import { formatMoment } from '../model/format';
import { filterRows, IJobFilter, listNotebooks, NO_FILTER } from '../model/job_filter';
import { JobsModel } from '../model/jobs';
import { IJobRow } from '../tokens';
import { EmptyJobs } from './empty_jobs';
import { JobFilters } from './job_filters';
import { JobItem } from './job_item';
import { ProblemMessage } from './problem_message';
import { nameTarget } from './texts';
import { useSignal } from './use_signal';

const PAGE = 100;

interface IProps {
  jobs: JobsModel;
  trans: TranslationBundle;
  onOpen: (row: IJobRow) => void;
  onStop: (row: IJobRow) => void;
}

/** The list of jobs with its filters. */
export function JobsView({ jobs, trans, onOpen, onStop }: IProps): JSX.Element {
  useSignal(jobs.changed);
  const [filter, setFilter] = useState<IJobFilter>(NO_FILTER);
  const [shown, setShown] = useState(PAGE);
  const rows = jobs.rows;
  const found = useMemo(() => filterRows(rows, filter), [rows, filter]);
  const notebooks = useMemo(() => listNotebooks(rows), [rows]);
  const change = useCallback((next: IJobFilter) => {
    setFilter(next);
    setShown(PAGE);
  }, []);
  const nothingYet = rows.length === 0 && jobs.problem === null;
  return (
    <div className="sm-Jobs">
      <JobFilters filter={filter} notebooks={notebooks} jobs={jobs} trans={trans} onChange={change} />
      {jobs.problem && <ProblemMessage problem={jobs.problem} trans={trans} onRetry={() => void jobs.refresh()} />}
      {nothingYet && jobs.asOfMs === null && <p className="sm-Hint">{trans.__('Looking for jobs …')}</p>}
      {nothingYet && jobs.asOfMs !== null && <EmptyJobs target={jobs.target} trans={trans} />}
      {rows.length > 0 && found.length === 0 && <p className="sm-Hint">{trans.__('No job matches the filter.')}</p>}
      <JobList rows={found.slice(0, shown)} jobs={jobs} trans={trans} onOpen={onOpen} onStop={onStop} />
      {found.length > shown && (
        <button type="button" className="sm-Button" onClick={() => setShown(shown + PAGE)}>
          {trans.__('Show %1 more', Math.min(PAGE, found.length - shown))}
        </button>
      )}
      <Freshness jobs={jobs} count={found.length} trans={trans} />
    </div>
  );
}

/** The arrow keys move through the rows; Tab enters at one and leaves. */
function JobList(props: { rows: IJobRow[] } & IProps): JSX.Element {
  const { rows, jobs, trans, onOpen, onStop } = props;
  const list = useRef<HTMLUListElement>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const index = Math.max(
    0,
    rows.findIndex(row => row.name === current)
  );
  const onKeyDown = (event: React.KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, Home: -rows.length, End: rows.length };
    if (event.key === 'Delete' && rows[index]) {
      onStop(rows[index]);
    } else if (event.key in steps) {
      event.preventDefault();
      const next = Math.min(rows.length - 1, Math.max(0, index + steps[event.key]));
      setCurrent(rows[next].name);
      list.current?.querySelectorAll<HTMLElement>('.sm-JobItem-open')[next]?.focus();
    }
  };
  if (rows.length === 0) {
    return <></>;
  }
  return (
    <ul ref={list} className="sm-JobList" aria-label={trans.__('Training jobs')} onKeyDown={onKeyDown}>
      {rows.map((row, at) => (
        <JobItem
          key={row.name}
          row={row}
          stopping={jobs.isStopping(row.name)}
          current={at === index}
          trans={trans}
          onOpen={onOpen}
          onStop={onStop}
        />
      ))}
    </ul>
  );
}

function Freshness({ jobs, count, trans }: { jobs: JobsModel; count: number; trans: TranslationBundle }): JSX.Element {
  const moment = jobs.asOfMs === null ? '' : formatMoment(jobs.asOfMs, Date.now());
  return (
    <div className="sm-Freshness">
      <span role="status">
        {trans._n('%1 job on %2', '%1 jobs on %2', count, nameTarget(jobs.target, trans))}
      </span>
      {jobs.problem && moment && <span>{trans.__('as of %1', moment)}</span>}
      <button
        type="button"
        className="sm-IconButton"
        title={trans.__('Refresh the list')}
        aria-label={trans.__('Refresh the list')}
        onClick={() => void jobs.refresh()}
      >
        <refreshIcon.react tag="span" className="sm-Icon" />
      </button>
    </div>
  );
}
