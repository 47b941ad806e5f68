/**
 * The settings of one notebook: what its metadata holds, what Python says of it, and what its kernel is told.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Client, toProblem } from '../api/client';
import { IJudgement, IProblem } from '../tokens';
import { renderDecorator } from './decorator_code';

/** The notebook as far as its settings need it. */
export interface INotebook {
  readonly path: string;
  /** Whether Jupyter trusted it when it was opened. */
  readonly trusted: boolean;
  read(): Record<string, unknown>;
  write(settings: Record<string, unknown>): void;
  save(): Promise<void>;
}

/** How a kernel is told of settings. */
export type Send = (settings: Record<string, unknown>) => void;

export class NotebookSettings implements IDisposable {
  private readonly _changed = new Signal<this, void>(this);
  private _values: Record<string, unknown>;
  /** What the metadata held when it was last read or written here. */
  private _carried: string;
  private _judgement: IJudgement | null = null;
  /** The values that the judgement is about. */
  private _judged: Record<string, unknown> | null = null;
  private _problem: IProblem | null = null;
  private _refusal: IProblem | null = null;
  private _overridden: readonly string[] = [];
  private _send: Send | null = null;
  private _disposed = false;

  constructor(
    private readonly _client: Client,
    private readonly _notebook: INotebook
  ) {
    this._values = _notebook.read();
    this._carried = JSON.stringify(this._values);
    void this._judge();
  }

  get path(): string {
    return this._notebook.path;
  }

  /** What the notebook says, accepted or not. */
  get values(): Readonly<Record<string, unknown>> {
    return this._values;
  }

  get judgement(): IJudgement | null {
    return this._judgement;
  }

  /** Whether what the form shows was judged, and is what the next call uses. */
  get settled(): boolean {
    return this._judged === this._values;
  }

  /** Why nothing can be said of the settings. */
  get problem(): IProblem | null {
    return this._problem;
  }

  /** Why the kernel did not take them. */
  get refusal(): IProblem | null {
    return this._refusal;
  }

  /** Whether a kernel listens, so that a change holds at once. */
  get connected(): boolean {
    return this._send !== null;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Sets or, with undefined, removes a setting of the notebook. */
  async set(name: string, value: unknown): Promise<void> {
    const values = { ...this._values };
    if (value === undefined) {
      delete values[name];
    } else {
      values[name] = value;
    }
    // Whoever sets it here has seen it.
    const confirmed = value === undefined ? undefined : this._client.confirm({ [name]: value }).catch(() => undefined);
    await this._keep(values, confirmed);
  }

  async reset(): Promise<void> {
    await this._keep({});
  }

  /** Writes a setting that no notebook may carry into the user's own file, and out of the notebook. */
  async keepForUser(name: string, value: unknown): Promise<void> {
    try {
      await this._client.setUserSettings({ [name]: this._change(name, value) });
    } catch (error) {
      this._problem = toProblem(error);
      this._changed.emit();
      return;
    }
    const { [name]: _, ...values } = this._values;
    await this._keep(values);
  }

  /** Removes settings from the notebook. */
  async drop(names: readonly string[]): Promise<void> {
    await this._keep(Object.fromEntries(Object.entries(this._values).filter(([name]) => !names.includes(name))));
  }

  /** Takes what the notebook asks for, after a person has seen it. */
  async confirm(): Promise<void> {
    await this._client.confirm({ ...this._judgement?.held });
    await this._judge();
  }

  renderDecorator(): string {
    const wrong = this._judgement?.problems ?? {};
    return renderDecorator(Object.fromEntries(Object.entries(this._values).filter(([name]) => !(name in wrong))));
  }

  /** A kernel opened its connection: it is told now, and at each change. */
  connect(send: Send): void {
    this._send = send;
    if (this._judgement !== null) {
      send(this._judgement.taken);
    }
    this._changed.emit();
  }

  disconnect(send: Send): void {
    if (this._send === send) {
      this._send = null;
      this._refusal = null;
      this._overridden = [];
      this._changed.emit();
    }
  }

  /** Settings that the last call set itself, so that the panel's were not used. */
  get overridden(): readonly string[] {
    return this._overridden;
  }

  takeOverridden(names: readonly string[]): void {
    this._overridden = names;
    this._changed.emit();
  }

  /** The kernel's answer. */
  takeReply(refusal: IProblem | null): void {
    this._refusal = refusal;
    this._changed.emit();
  }

  /** The notebook's metadata was changed by somebody else: another tab, an editor, an undo. */
  reread(): void {
    const values = this._notebook.read();
    if (JSON.stringify(values) !== this._carried) {
      this._carried = JSON.stringify(values);
      this._values = values;
      void this._judge();
    }
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      Signal.clearData(this);
    }
  }

  private async _keep(values: Record<string, unknown>, confirmed?: Promise<void>): Promise<void> {
    this._values = values;
    this._changed.emit();
    await confirmed;
    await this._judge();
    if (values !== this._values) {
      return; // changed again meanwhile: whoever did so writes
    }
    const carried = this._judgement === null ? values : this._withoutPrivate(values);
    if (JSON.stringify(carried) === this._carried) {
      return; // nothing that may be written has changed
    }
    this._carried = JSON.stringify(carried);
    this._notebook.write(carried);
    if (this._send === null) {
      // Nobody to tell: the next call reads the file.
      await this._notebook.save().catch(() => undefined);
    }
  }

  /** A table's entries that changed, null for those that went: the form never sees the values that are there. */
  private _change(name: string, value: unknown): unknown {
    const known = this._judgement?.settings.find(setting => setting.name === name)?.value;
    if (typeof known !== 'object' || known === null || Array.isArray(known)) {
      return value ?? null;
    }
    const wanted = (value ?? {}) as Record<string, string>;
    const gone = Object.keys(known).filter(entry => !(entry in wanted));
    const set = Object.entries(wanted).filter(([entry, text]) => text !== '' || !(entry in known));
    return Object.fromEntries([...gone.map((entry): [string, null] => [entry, null]), ...set]);
  }

  /** What may be written: what is wrong or names an account stays in the form and goes nowhere. */
  private _withoutPrivate(values: Record<string, unknown>): Record<string, unknown> {
    const { private: kept, problems } = this._judgement!;
    return Object.fromEntries(Object.entries(values).filter(([name]) => !(name in kept) && !(name in problems)));
  }

  private async _judge(): Promise<void> {
    const values = this._values;
    try {
      const judgement = await this._client.judge(this.path, values, this._notebook.trusted);
      if (this._disposed || values !== this._values) {
        return;
      }
      this._judgement = judgement;
      this._judged = values;
      this._problem = null;
      this._send?.(judgement.taken);
    } catch (error) {
      this._problem = toProblem(error);
    }
    if (!this._disposed) {
      this._changed.emit();
    }
  }
}
