/**
 * The log of the open job: a stream where one gets through, and slices asked for one after the other where none does.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Client, toProblem } from '../api/client';
import { ILogSlice, IProblem, Target } from '../tokens';
import { IShownLine, LogLines } from './log_lines';

const MOST_LINES = 5000;
const SILENCE_MS = 25_000;
const POLL_MS = 2000;
const TELL_MS = 100;

export class LogModel implements IDisposable {
  private readonly _lines = new LogLines(MOST_LINES);
  private readonly _changed = new Signal<this, void>(this);
  private readonly _abort = new AbortController();
  private _held: ILogSlice[] = [];
  private _after = '';
  private _before: string | null = null;
  private _ended = false;
  private _paused = false;
  private _loaded = false;
  private _problem: IProblem | null = null;
  private _telling: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly _client: Client,
    readonly target: Target,
    readonly name: string
  ) {
    void this._follow();
  }

  get lines(): readonly IShownLine[] {
    return this._lines.lines;
  }

  /** Lines that were shown and are no longer kept here. */
  get dropped(): number {
    return this._lines.dropped;
  }

  get hasEarlier(): boolean {
    return this._before !== null && this._lines.dropped === 0;
  }

  /** How many lines wait while the log is paused. */
  get waiting(): number {
    return this._held.reduce((count, piece) => count + piece.lines.length, 0);
  }

  get ended(): boolean {
    return this._ended;
  }

  get loaded(): boolean {
    return this._loaded;
  }

  get problem(): IProblem | null {
    return this._problem;
  }

  get paused(): boolean {
    return this._paused;
  }

  set paused(paused: boolean) {
    this._paused = paused;
    if (!paused) {
      this._held.forEach(piece => this._lines.append(piece.lines));
      this._held = [];
    }
    this._changed.emit();
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._abort.signal.aborted;
  }

  async loadEarlier(): Promise<void> {
    if (this._before === null) {
      return;
    }
    const piece = await this._client.log(this.target, this.name, { before: this._before });
    this._before = piece.before;
    this._lines.prepend(piece.lines);
    this._changed.emit();
  }

  async download(): Promise<Blob> {
    return this._client.download(this.target, this.name, 'log');
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._abort.abort();
      if (this._telling !== null) {
        clearTimeout(this._telling);
      }
      Signal.clearData(this);
    }
  }

  private async _follow(): Promise<void> {
    try {
      await this._stream();
    } catch (error) {
      if (!this.isDisposed) {
        await this._pollOn();
      }
    }
  }

  private async _stream(): Promise<void> {
    const signal = this._abort.signal;
    for await (const piece of this._client.logStream(this.target, this.name, this._after, signal, SILENCE_MS)) {
      if (this.isDisposed) {
        return;
      }
      this._take(piece);
    }
    if (!this._ended) {
      throw new Error('The log stream ended before the log.');
    }
  }

  private async _pollOn(): Promise<void> {
    while (!this.isDisposed && !this._ended) {
      try {
        if (!document.hidden) {
          const place = this._after ? { after: this._after } : {};
          const piece = await this._client.log(this.target, this.name, place);
          // A slice that ends the log may have lines behind it: only one without lines is the last.
          this._take({ ...piece, ended: piece.ended && piece.lines.length === 0 });
        }
      } catch (error) {
        this._problem = toProblem(error);
        this._tell();
      }
      await new Promise(resolve => setTimeout(resolve, POLL_MS));
    }
  }

  private _take(piece: ILogSlice): void {
    if (this.isDisposed) {
      return;
    }
    if (!this._loaded) {
      this._before = piece.before;
      this._loaded = true;
    }
    this._after = piece.after;
    this._ended = piece.ended;
    this._problem = null;
    if (this._paused) {
      this._held.push(piece);
    } else {
      this._lines.append(piece.lines);
    }
    this._tell();
  }

  /** A chatty job must not draw the page for each of its lines. */
  private _tell(): void {
    this._telling ??= setTimeout(() => {
      this._telling = null;
      if (!this.isDisposed) {
        this._changed.emit();
      }
    }, TELL_MS);
  }
}
