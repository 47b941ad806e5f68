/**
 * What a terminal would show of one line: carriage returns and backspaces move, colours are kept, all else is nothing.
 *
 * A line may hold anything. What comes out of here is texts with styles, in which no character acts on anything:
 * control characters are left out, and those that turn the reading order round are shown as escapes.
 */

export interface ISpan {
  text: string;
  style: IStyle;
}

/** Colours are 0 to 15 for those of the theme, or `#rrggbb`. */
export interface IStyle {
  readonly bold?: true;
  readonly dim?: true;
  readonly italic?: true;
  readonly underline?: true;
  readonly inverse?: true;
  readonly strike?: true;
  readonly fg?: number | string;
  readonly bg?: number | string;
}

type Flag = 'bold' | 'dim' | 'italic' | 'underline' | 'inverse' | 'strike';
export const FLAGS: readonly Flag[] = ['bold', 'dim', 'italic', 'underline', 'inverse', 'strike'];

export const PLAIN: IStyle = Object.freeze({});

/* eslint-disable no-control-regex */
const TOKEN = new RegExp(
  [
    '(?<csi>(?:\\x1b\\[|\\x9b)(?<parameters>[0-?]*)[ -/]*(?<final>[@-~])?)',
    '(?:\\x1b[\\]PX^_]|[\\x90\\x98\\x9d-\\x9f])[^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)?',
    '\\x1b[ -/]*[0-~]?',
    '(?<back>\\x08)',
    '(?<return>\\r)',
    '[\\x00-\\x07\\x0a-\\x0c\\x0e-\\x1a\\x1c-\\x1f\\x7f-\\x9f]',
    '(?<shown>[\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff])'
  ].join('|'),
  'gu'
);

/** The spans of a line without its newline. */
export function reduceLine(line: string): ISpan[] {
  const screen = new Line();
  let style = PLAIN;
  let from = 0;
  for (const found of line.matchAll(TOKEN)) {
    screen.write(line.slice(from, found.index), style);
    from = found.index + found[0].length;
    const groups = found.groups ?? {};
    if (groups.final === 'm') {
      style = applySgr(style, groups.parameters);
    } else if (groups.final === 'K') {
      screen.erase(groups.parameters);
    } else if (groups.back !== undefined) {
      screen.column = Math.max(0, screen.column - 1);
    } else if (groups.return !== undefined) {
      screen.column = 0;
    } else if (groups.shown !== undefined) {
      screen.write(`\\u${groups.shown.codePointAt(0)!.toString(16).padStart(4, '0')}`, style);
    }
  }
  screen.write(line.slice(from), style);
  return screen.spans();
}

/** A line of a terminal. While nothing was written over, it is a list of spans; then a cell for each character. */
class Line {
  column = 0;
  private _spans: ISpan[] = [];
  private _length = 0;
  private _cells: ISpan[] | null = null;

  write(text: string, style: IStyle): void {
    if (text === '') {
      return;
    }
    if (this._cells === null && this.column === this._length) {
      this._append(text, style);
      return;
    }
    const cells = this._toCells();
    for (const character of text) {
      while (cells.length < this.column) {
        cells.push({ text: ' ', style: PLAIN });
      }
      cells[this.column++] = { text: character, style };
    }
  }

  erase(parameters: string): void {
    const cells = this._toCells();
    if (parameters === '' || parameters === '0') {
      cells.length = Math.min(cells.length, this.column);
    } else if (parameters === '2') {
      cells.length = 0;
    }
  }

  spans(): ISpan[] {
    return this._cells === null ? this._spans : join(this._cells);
  }

  private _append(text: string, style: IStyle): void {
    const last = this._spans[this._spans.length - 1];
    if (last !== undefined && sameStyle(last.style, style)) {
      last.text += text;
    } else {
      this._spans.push({ text, style });
    }
    this._length += countCharacters(text);
    this.column = this._length;
  }

  private _toCells(): ISpan[] {
    if (this._cells === null) {
      this._cells = this._spans.flatMap(span => [...span.text].map(text => ({ text, style: span.style })));
    }
    return this._cells;
  }
}

function join(cells: ISpan[]): ISpan[] {
  const spans: ISpan[] = [];
  for (const cell of cells) {
    const last = spans[spans.length - 1];
    if (last !== undefined && sameStyle(last.style, cell.style)) {
      last.text += cell.text;
    } else {
      spans.push({ ...cell });
    }
  }
  return spans;
}

function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) {
    count += 1;
  }
  return count;
}

function sameStyle(one: IStyle, other: IStyle): boolean {
  return one === other || nameStyle(one) === nameStyle(other);
}

/** A style in words: what the test vectors hold. */
export function nameStyle(style: IStyle): string {
  const words: string[] = FLAGS.filter(flag => style[flag]);
  if (style.fg !== undefined) {
    words.push(`fg${style.fg}`);
  }
  if (style.bg !== undefined) {
    words.push(`bg${style.bg}`);
  }
  return words.join(' ');
}

const SET: Record<number, Flag> = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'strike' };
const UNSET: Record<number, Flag[]> = {
  22: ['bold', 'dim'],
  23: ['italic'],
  24: ['underline'],
  27: ['inverse'],
  29: ['strike']
};

function applySgr(style: IStyle, parameters: string): IStyle {
  const changed: Record<string, unknown> = { ...style };
  const codes = readCodes(parameters);
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 38 || code === 48) {
      const [colour, used] = readColour(codes, at + 1);
      at += used;
      if (colour !== null) {
        changed[code === 38 ? 'fg' : 'bg'] = colour;
      }
    } else if (code === 0) {
      Object.keys(changed).forEach(name => delete changed[name]);
    } else {
      applyOne(changed, code);
    }
  }
  return changed as IStyle;
}

function applyOne(changed: Record<string, unknown>, code: number): void {
  if (code in SET) {
    changed[SET[code]] = true;
  } else if (code in UNSET) {
    UNSET[code].forEach(name => delete changed[name]);
  } else if (code === 39 || code === 49) {
    delete changed[code === 39 ? 'fg' : 'bg'];
  } else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
    changed.fg = code < 90 ? code - 30 : code - 82;
  } else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) {
    changed.bg = code < 100 ? code - 40 : code - 92;
  }
}

/** The numbers of an SGR sequence. With colons a colour has an empty place for its colour space: it is dropped. */
function readCodes(parameters: string): number[] {
  if (parameters.length > 128) {
    return [];
  }
  return parameters.split(';').flatMap(part => {
    const numbers = part.split(':');
    const kept = numbers.length > 5 && numbers[2] === '' ? [...numbers.slice(0, 2), ...numbers.slice(3)] : numbers;
    return kept.map(text => (/^\d*$/.test(text) ? Number(text) : -1));
  });
}

/** The colour behind 38 or 48, and how many numbers it took; null for one that is out of range or cut short. */
function readColour(codes: number[], from: number): [number | string | null, number] {
  if (codes[from] === 5) {
    return [readIndexed(codes[from + 1]), 2];
  }
  if (codes[from] === 2) {
    const parts = codes.slice(from + 1, from + 4);
    const valid = parts.length === 3 && parts.every(part => part >= 0 && part <= 255);
    return [valid ? toHex(parts) : null, 4];
  }
  return [null, 1];
}

function readIndexed(index: number | undefined): number | string | null {
  if (index === undefined || !(index >= 0 && index <= 255)) {
    return null;
  }
  if (index < 16) {
    return index;
  }
  if (index >= 232) {
    return toHex(Array(3).fill(8 + 10 * (index - 232)));
  }
  const cube = index - 16;
  return toHex([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(level => (level ? 55 + 40 * level : 0)));
}

function toHex(parts: number[]): string {
  return '#' + parts.map(part => part.toString(16).padStart(2, '0')).join('');
}
