/**
 * The lines of a log as they are shown: bounded in number, a progress bar on one line however it came. Pure.
 */
import { ILogLine } from '../tokens';
import { ISpan, reduceLine } from './ansi';

export interface IShownLine {
  /** Grows by one for each line; stays with a line for its life. */
  id: number;
  timeMs: number;
  host: string;
  spans: ISpan[];
  /** The text without styles: what is searched and copied. */
  text: string;
  /** Grows when the line is drawn over. */
  version: number;
}

const BAR = /^(?<label>[^%|]*?)\s*(?<percent>\d{1,3})%\|/;
/** tqdm's line where it knows no total: `fit: 123it [00:01, 99.8it/s]`. */
const COUNTER =
  /^(?<label>.*?)\d{1,12}(?:\.\d{1,3})?[kMGTPEZ]?(?<unit>[^\s\d[|]{0,20}|\s[^\s\d[|]{1,20})\s\[(?:(?<hours>\d{1,4}):)?(?<minutes>\d\d):(?<seconds>\d\d), /;
/** Characters in which a bar is looked for. */
const LONGEST_BAR = 500;

export class LogLines {
  private _lines: IShownLine[] = [];
  private _nextId = 0;
  private _firstId = 0;
  private _dropped = 0;

  constructor(private readonly _most: number) {}

  /** Oldest first; the same array until something changes. */
  get lines(): readonly IShownLine[] {
    return this._lines;
  }

  /** How many lines were shown and are no longer kept. */
  get dropped(): number {
    return this._dropped;
  }

  append(lines: readonly ILogLine[]): void {
    const kept = this._lines.slice();
    for (const line of lines) {
      this._addLast(kept, line);
    }
    const excess = kept.length - this._most;
    if (excess > 0) {
      kept.splice(0, excess);
      this._dropped += excess;
    }
    this._lines = kept;
  }

  /** Puts older lines before the others; asked for by the reader, so they are kept whatever their number. */
  prepend(lines: readonly ILogLine[]): void {
    const older: IShownLine[] = [];
    for (const line of lines) {
      this._addLast(older, line);
    }
    this._firstId -= older.length;
    older.forEach((line, index) => (line.id = this._firstId + index));
    this._lines = [...older, ...this._lines];
  }

  private _addLast(kept: IShownLine[], line: ILogLine): void {
    const spans = reduceLine(line.text);
    const text = spans.map(span => span.text).join('');
    const last = kept[kept.length - 1];
    if (last !== undefined && last.host === line.host && continuesBar(last.text, text)) {
      kept[kept.length - 1] = { ...last, timeMs: line.timeMs, spans, text, version: last.version + 1 };
    } else {
      kept.push({ id: this._nextId++, timeMs: line.timeMs, host: line.host, spans, text, version: 0 });
    }
  }
}

/** Whether a line is a later state of the progress bar that the line before it shows. */
function continuesBar(before: string, after: string): boolean {
  const one = readBar(before);
  const other = readBar(after);
  return one !== null && other !== null && one.label === other.label && one.progress <= other.progress;
}

/** What a bar is called, and how far it is: per cent, or seconds since it began. */
function readBar(line: string): { label: string; progress: number } | null {
  const start = line.slice(0, LONGEST_BAR);
  const bar = BAR.exec(start)?.groups;
  if (bar !== undefined) {
    return { label: bar.label, progress: Number(bar.percent) };
  }
  const counter = COUNTER.exec(start)?.groups;
  if (counter === undefined) {
    return null;
  }
  const { label, unit, hours, minutes, seconds } = counter;
  return { label: `${label}|${unit}`, progress: (Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(seconds) };
}

/** The lines that hold a text, whatever its case; all, for an empty one. */
export function searchLines(lines: readonly IShownLine[], wanted: string): readonly IShownLine[] {
  const text = wanted.trim().toLowerCase();
  return text === '' ? lines : lines.filter(line => line.text.toLowerCase().includes(text));
}
