import { TranslationBundle } from '@jupyterlab/translation';
import { stopIcon } from '@jupyterlab/ui-components';
import React, { memo } from 'react';

import { costUsd, elapsedS, formatDuration, formatUsd, isRunning } from '../model/format';
import { IJobRow } from '../tokens';
import { StatusBadge } from './status_badge';
import { useNow } from './use_signal';

interface IProps {
  row: IJobRow;
  stopping: boolean;
  /** Whether Tab comes here; the arrow keys go to the others. */
  current: boolean;
  trans: TranslationBundle;
  onOpen: (row: IJobRow) => void;
  onStop: (row: IJobRow) => void;
}

/** One job of the list. */
export const JobItem = memo(function JobItem(props: IProps): JSX.Element {
  const { row, stopping, current, trans, onOpen, onStop } = props;
  return (
    <li className="sm-JobItem" data-job={row.name}>
      <button type="button" className="sm-JobItem-open" tabIndex={current ? 0 : -1} onClick={() => onOpen(row)}>
        <span className="sm-JobItem-name" title={row.name}>
          {row.name}
        </span>
        <span className="sm-JobItem-facts">
          <StatusBadge row={row} stopping={stopping} trans={trans} />
          <Facts row={row} trans={trans} />
        </span>
        {row.status === 'Failed' && row.reason && (
          <span className="sm-JobItem-reason" title={row.reason}>
            {row.reason}
          </span>
        )}
      </button>
      {isRunning(row) && (
        <button
          type="button"
          className="sm-IconButton"
          tabIndex={current ? 0 : -1}
          disabled={stopping}
          title={trans.__('Stop this job')}
          aria-label={trans.__('Stop %1', row.name)}
          onClick={() => onStop(row)}
        >
          <stopIcon.react tag="span" className="sm-Icon" />
        </button>
      )}
    </li>
  );
});

function Facts({ row, trans }: { row: IJobRow; trans: TranslationBundle }): JSX.Element {
  const now = useNow(isRunning(row));
  const parts = [formatDuration(elapsedS(row, now))];
  if (row.instanceType) {
    parts.push(row.instanceCount > 1 ? `${row.instanceType} × ${row.instanceCount}` : row.instanceType);
  }
  const cost = describeCost(row, now, trans);
  if (cost) {
    parts.push(cost);
  }
  if (row.spot) {
    parts.push(trans.__('spot'));
  }
  if (row.interruptions > 0) {
    parts.push(trans._n('%1 interruption', '%1 interruptions', row.interruptions));
  }
  if (row.number > 1) {
    parts.push(trans.__('job %1 of its call', row.number));
  }
  if (row.notebook) {
    parts.push(row.cell ? trans.__('%1, cell %2', row.notebook, row.cell) : row.notebook);
  }
  return <span className="sm-Facts">{parts.join(' · ')}</span>;
}

/** What a job cost, or would have cost on SageMaker; empty where its price is not known. */
export function describeCost(row: IJobRow, now: number, trans: TranslationBundle): string {
  const cost = costUsd(row, now);
  if (row.target === 'local') {
    return '';
  }
  return cost === null ? trans.__('price unknown') : trans.__('about %1', formatUsd(cost));
}
