/**
 * Which jobs are shown, and in what order. Pure, and fast enough for every keystroke.
 */
import { IJobRow } from '../tokens';
import { isRunning } from './format';

export interface IJobFilter {
  text: string;
  /** A status, `running` for all that have not ended, or empty. */
  state: string;
  notebook: string;
  /** Whether jobs that sm_remote did not make are shown too. */
  others: boolean;
}

export const NO_FILTER: IJobFilter = { text: '', state: '', notebook: '', others: false };

/** Running jobs first, then the newest. */
export function sortRows(rows: Iterable<IJobRow>): IJobRow[] {
  return [...rows].sort(
    (one, other) =>
      Number(isRunning(other)) - Number(isRunning(one)) ||
      other.createdMs - one.createdMs ||
      (one.name < other.name ? 1 : -1)
  );
}

export function filterRows(rows: readonly IJobRow[], filter: IJobFilter): IJobRow[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(row => passes(row, filter, words));
}

function passes(row: IJobRow, filter: IJobFilter, words: string[]): boolean {
  if (!filter.others && !(row.ours ?? row.target === 'local')) {
    return false;
  }
  if (filter.state === 'running' ? !isRunning(row) : filter.state !== '' && row.status !== filter.state) {
    return false;
  }
  if (filter.notebook !== '' && row.notebook !== filter.notebook) {
    return false;
  }
  const haystack = `${row.name} ${row.function ?? ''} ${row.notebook ?? ''} ${row.instanceType ?? ''}`.toLowerCase();
  return words.every(word => haystack.includes(word));
}

/** The notebooks that jobs came from, for choosing one. */
export function listNotebooks(rows: readonly IJobRow[]): string[] {
  return [...new Set(rows.map(row => row.notebook).filter((name): name is string => !!name))].sort();
}
