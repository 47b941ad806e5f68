/**
 * Settings as text in a field, and back. Whether a value is accepted, Python decides. Pure.
 */
import { ISettingSchema } from '../tokens';

/** A number; what is none is passed on as it is, so that Python says what is wrong with it. */
export function readNumber(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === '') {
    return undefined;
  }
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : trimmed;
}

/** `name=value`, one a line. */
export function showPairs(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return '';
  }
  return Object.entries(value)
    .map(([name, item]) => `${name}=${item}`)
    .join('\n');
}

export function parsePairs(text: string): Record<string, string> | undefined {
  const pairs = text
    .split('\n')
    .filter(line => line.trim() !== '')
    .map((line): [string, string] => {
      const at = line.indexOf('=');
      return at < 0 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    });
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

/** One item a line; a single text, where the setting takes one, as it is. */
export function showLines(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map(item => (typeof item === 'string' ? item : JSON.stringify(item))).join('\n');
  }
  return value === null || value === undefined ? '' : `${value}`;
}

const WORDS: ReadonlySet<string> = new Set(['auto', 'none']);

export function parseLines(text: string, schema: ISettingSchema): unknown {
  const lines = text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean);
  if (lines.length === 0) {
    return undefined;
  }
  const isOne = lines.length === 1 && (WORDS.has(lines[0]) || /[/\\]|\.(txt|toml|ya?ml|lock)$/.test(lines[0]));
  return isOne && schema.type.includes('string') ? lines[0] : lines;
}
