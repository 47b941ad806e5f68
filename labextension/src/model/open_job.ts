/**
 * The job that is looked at: its description, its log and its files.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Client, toProblem } from '../api/client';
import { IArtefact, ICourse, IJobDetails, IJobRow, IProblem, Target } from '../tokens';
import { isRunning } from './format';
import { JobsModel } from './jobs';
import { LogModel } from './log';
import { chooseCourses } from './courses';

const LIVE_MS = 5000;

export class OpenJobModel implements IDisposable {
  readonly log: LogModel;
  private readonly _changed = new Signal<this, void>(this);
  private _details: IJobDetails | null = null;
  private _artefacts: IArtefact[] | null = null;
  private _problem: IProblem | null = null;
  private _courses: ICourse[] = [];
  private _row: IJobRow | undefined;
  private _timer: ReturnType<typeof setInterval>;
  private _disposed = false;

  constructor(
    private readonly _client: Client,
    readonly jobs: JobsModel,
    readonly target: Target,
    readonly name: string
  ) {
    this.log = new LogModel(_client, target, name);
    this._row = jobs.find(name);
    jobs.changed.connect(this._onJobs, this);
    this._timer = setInterval(() => this._onTime(), LIVE_MS);
    void this._load();
  }

  get details(): IJobDetails | null {
    return this._details;
  }

  /** What the list last said of it, or its description. */
  get row(): IJobRow | null {
    return this._row ?? this._details?.row ?? null;
  }

  /** What it left behind; null while it runs. */
  get artefacts(): IArtefact[] | null {
    return this._artefacts;
  }

  /** The course of each of its metrics. */
  get courses(): readonly ICourse[] {
    return this._courses;
  }

  get problem(): IProblem | null {
    return this._problem;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  async stop(): Promise<void> {
    if (this.row !== null) {
      await this.jobs.stop(this.row);
    }
  }

  /** Runs the same job again, and says its name. */
  async replay(): Promise<string> {
    const name = await this._client.replay(this.target, this.name);
    await this.jobs.refresh();
    return name;
  }

  async download(path: string): Promise<Blob> {
    return this._client.download(this.target, this.name, { artefact: path });
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      clearInterval(this._timer);
      this.jobs.changed.disconnect(this._onJobs, this);
      this.log.dispose();
      Signal.clearData(this);
    }
  }

  private _onJobs(): void {
    const row = this.jobs.find(this.name);
    if (row !== this._row) {
      this._row = row;
      void this._load();
    }
    this._changed.emit();
  }

  /** Metrics change without the list's knowing. */
  private _onTime(): void {
    if (!document.hidden && (this.row === null || isRunning(this.row))) {
      void this._load();
    }
  }

  private async _load(): Promise<void> {
    try {
      const details = await this._client.job(this.target, this.name);
      const courses = await this._client.metrics(this.target, this.name).catch(() => []);
      const artefacts = isRunning(details.row) ? null : await this._client.artefacts(this.target, this.name);
      if (!this._disposed) {
        [this._details, this._artefacts, this._problem] = [details, artefacts, null];
        this._courses = chooseCourses(courses, details.metrics);
      }
    } catch (error) {
      this._problem = toProblem(error);
    }
    if (!this._disposed) {
      this._changed.emit();
    }
  }
}
