/**
 * What the panel shows at the moment: the list or one job, and the settings of the notebook in front.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Client } from '../api/client';
import { IInstanceType, Target } from '../tokens';
import { JobsModel } from './jobs';
import { NotebookSettings } from './notebook_settings';
import { OpenJobModel } from './open_job';

export class PanelModel implements IDisposable {
  private readonly _changed = new Signal<this, void>(this);
  private _open: OpenJobModel | null = null;
  private _settings: NotebookSettings | null = null;
  private _types: readonly IInstanceType[] = [];
  private _disposed = false;

  constructor(
    private readonly _client: Client,
    readonly jobs: JobsModel
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The job that is looked at; null for the list. */
  get open(): OpenJobModel | null {
    return this._open;
  }

  get settings(): NotebookSettings | null {
    return this._settings;
  }

  set settings(settings: NotebookSettings | null) {
    if (settings !== this._settings) {
      this._settings = settings;
      this._changed.emit();
    }
  }

  /** The catalogue; asked for when the settings are first shown. */
  get types(): readonly IInstanceType[] {
    return this._types;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  async loadTypes(): Promise<void> {
    if (this._types.length === 0) {
      this._types = await this._client.instanceTypes().catch(() => []);
      this._changed.emit();
    }
  }

  show(target: Target, name: string): void {
    if (this._open?.name !== name) {
      this._open?.dispose();
      this._open = this.make(target, name);
      this._changed.emit();
    }
  }

  showList(): void {
    this._open?.dispose();
    this._open = null;
    this._changed.emit();
  }

  /** A job to look at elsewhere; whoever asked disposes of it. */
  make(target: Target, name: string): OpenJobModel {
    return new OpenJobModel(this._client, this.jobs, target, name);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._open?.dispose();
      Signal.clearData(this);
    }
  }
}
