/**
 * The list of training jobs as the server knows it: rows by name, kept up by asking for what came after a number.
 *
 * The server says over Jupyter's event socket that there is something to ask for. Besides, one request every half
 * minute tells it that somebody looks; a hidden browser tab sends none, and the server then asks nobody either.
 */
import { IDisposable } from '@lumino/disposable';
import { Poll, Throttler } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { Client, toProblem } from '../api/client';
import { IJobChanges, IJobEnding, IJobRow, IJobs, IProblem, Target } from '../tokens';
import { isRunning } from './format';
import { sortRows } from './job_filter';

const HEARTBEAT_MS = 25_000;
const BETWEEN_REQUESTS_MS = 250;

export class JobsModel implements IJobs, IDisposable {
  private _target: Target = 'local';
  private _rows = new Map<string, IJobRow>();
  private _sorted: IJobRow[] = [];
  private _seq = 0;
  private _asOfMs: number | null = null;
  private _problem: IProblem | null = null;
  private _attentive = false;
  private _disposed = false;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _ended = new Signal<this, IJobEnding>(this);
  private readonly _stopping = new Set<string>();
  private readonly _poll: Poll;
  private readonly _request: Throttler;

  constructor(private readonly _client: Client) {
    this._request = new Throttler(() => this._fetch(false), BETWEEN_REQUESTS_MS);
    this._poll = new Poll({
      name: '@sm-remote/labextension:jobs',
      factory: () => this._fetch(false),
      frequency: { interval: HEARTBEAT_MS, backoff: false },
      standby: 'when-hidden',
      linger: 0
    });
    document.addEventListener('visibilitychange', this._onVisibility);
  }

  get target(): Target {
    return this._target;
  }

  set target(target: Target) {
    if (target !== this._target) {
      this._target = target;
      this._rows.clear();
      this._sorted = [];
      this._seq = 0;
      this._asOfMs = null;
      this._problem = null;
      this._changed.emit();
      void this.refresh();
    }
  }

  /** Running first, then newest first; the same array until something changes. */
  get rows(): readonly IJobRow[] {
    return this._sorted;
  }

  get running(): readonly IJobRow[] {
    return this._sorted.filter(isRunning);
  }

  get problem(): IProblem | null {
    return this._problem;
  }

  /** When the list was last true; null before it was ever seen. */
  get asOfMs(): number | null {
    return this._asOfMs;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get ended(): ISignal<this, IJobEnding> {
    return this._ended;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether the panel itself is looked at: then the server starts what it needs, and looks more often. */
  set attentive(attentive: boolean) {
    const woken = attentive && !this._attentive;
    this._attentive = attentive;
    if (woken) {
      void this._fetch(false);
    }
  }

  find(name: string): IJobRow | undefined {
    return this._rows.get(name);
  }

  /** Whether a stop was asked for here, and the list does not show it yet. */
  isStopping(name: string): boolean {
    return this._stopping.has(name);
  }

  /** The server said that there is something new. */
  notice(target: Target, seq: number): void {
    if (target === this._target && seq !== this._seq && !this._disposed && !document.hidden) {
      void this._request.invoke().catch(() => undefined);
    }
  }

  async refresh(): Promise<void> {
    await this._fetch(true);
  }

  async stop(row: IJobRow): Promise<void> {
    this._stopping.add(row.name);
    this._changed.emit();
    try {
      await this._client.stop(row.target, row.name);
    } catch (error) {
      this._stopping.delete(row.name);
      this._changed.emit();
      throw error;
    }
    await this._fetch(false);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      document.removeEventListener('visibilitychange', this._onVisibility);
      this._poll.dispose();
      this._request.dispose();
      Signal.clearData(this);
    }
  }

  /** What was not asked while the page was hidden is asked for when it is seen again. */
  private readonly _onVisibility = (): void => {
    if (!document.hidden) {
      void this._request.invoke().catch(() => undefined);
    }
  };

  private async _fetch(refresh: boolean): Promise<void> {
    const target = this._target;
    try {
      const changes = await this._client.jobs(target, this._seq, this._attentive, refresh);
      if (!this._disposed && target === this._target) {
        this._take(changes);
      }
    } catch (error) {
      if (!this._disposed) {
        this._problem = toProblem(error);
        this._changed.emit();
      }
    }
  }

  private _take(changes: IJobChanges): void {
    const first = this._asOfMs === null;
    if (changes.whole) {
      const names = new Set(changes.rows.map(row => row.name));
      [...this._rows.keys()].filter(name => !names.has(name)).forEach(name => this._rows.delete(name));
    }
    const endings = changes.rows.map(row => this._takeRow(row)).filter((found): found is IJobEnding => found !== null);
    this._seq = changes.seq;
    this._asOfMs = changes.asOfMs;
    this._problem = changes.problem;
    if (changes.rows.length > 0 || changes.whole) {
      this._sorted = sortRows(this._rows.values());
    }
    this._changed.emit();
    if (!first) {
      endings.forEach(ending => this._ended.emit(ending));
    }
  }

  private _takeRow(row: IJobRow): IJobEnding | null {
    const before = this._rows.get(row.name);
    this._rows.set(row.name, row);
    if (!isRunning(row)) {
      this._stopping.delete(row.name);
    }
    if (before === undefined || !isRunning(before)) {
      return null;
    }
    if (!isRunning(row)) {
      const kind = row.status === 'Completed' ? 'finished' : row.status === 'Failed' ? 'failed' : 'stopped';
      return { row, kind };
    }
    return row.interruptions > before.interruptions ? { row, kind: 'interrupted' } : null;
  }
}
