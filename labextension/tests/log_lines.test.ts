import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { nameStyle, reduceLine } from '../src/model/ansi';
import { LogLines, searchLines } from '../src/model/log_lines';
import { ILogLine } from '../src/tokens';

interface ICase {
  name: string;
  lines: string[];
  shown: [string, string][][];
}

// Compiled tests lie in build-tests/tests; the vectors, which Python's tests read too, in the repository's tests.
const VECTORS = join(__dirname, '..', '..', '..', 'tests', 'vectors', 'ansi.json');
const CASES: ICase[] = JSON.parse(readFileSync(VECTORS, 'utf-8')).cases;

function toLines(texts: string[]): ILogLine[] {
  return texts.map((text, index) => ({ timeMs: index, host: '', text }));
}

function show(texts: string[]): [string, string][][] {
  const log = new LogLines(1000);
  log.append(toLines(texts));
  return log.lines.map(line => line.spans.map(span => [span.text, nameStyle(span.style)]));
}

for (const each of CASES) {
  test(each.name, () => assert.deepEqual(show(each.lines), each.shown));
}

test('lines that come one by one show the same as lines that come at once', () => {
  for (const each of CASES) {
    const log = new LogLines(1000);
    toLines(each.lines).forEach(line => log.append([line]));
    assert.deepEqual(
      log.lines.map(line => line.spans.map(span => [span.text, nameStyle(span.style)])),
      each.shown
    );
  }
});

test('a log keeps its newest lines and counts the others', () => {
  const log = new LogLines(3);
  log.append(toLines(['a', 'b', 'c', 'd', 'e']));
  assert.deepEqual(log.lines.map(line => line.text), ['c', 'd', 'e']);
  assert.equal(log.dropped, 2);
});

test('older lines go before the others and have ids of their own', () => {
  const log = new LogLines(10);
  log.append(toLines(['c', 'd']));
  log.prepend(toLines(['a', 'b']));
  assert.deepEqual(log.lines.map(line => line.text), ['a', 'b', 'c', 'd']);
  assert.equal(new Set(log.lines.map(line => line.id)).size, 4);
});

test('a bar of another host is another line', () => {
  const log = new LogLines(10);
  log.append([
    { timeMs: 0, host: 'algo-1', text: ' 10%|# | 1/10' },
    { timeMs: 1, host: 'algo-2', text: ' 20%|# | 2/10' }
  ]);
  assert.equal(log.lines.length, 2);
});

test('a line that is drawn over keeps its id and has a new version', () => {
  const log = new LogLines(10);
  log.append(toLines([' 10%|# | 1/10']));
  const before = log.lines[0];
  log.append(toLines([' 20%|## | 2/10']));
  assert.equal(log.lines[0].id, before.id);
  assert.notEqual(log.lines[0].version, before.version);
});

test('search finds text in any case, and not in escape sequences', () => {
  const log = new LogLines(10);
  log.append(toLines(['\x1b[31mError\x1b[0m here', 'all well']));
  assert.deepEqual(searchLines(log.lines, 'error H').map(line => line.text), ['Error here']);
  assert.equal(searchLines(log.lines, '31m').length, 0);
  assert.equal(searchLines(log.lines, ' ').length, 2);
});

test('a line of every byte, drawn over a thousand times, is quick and holds nothing that acts', () => {
  const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');
  const began = process.hrtime.bigint();
  const text = reduceLine(`${every}\r`.repeat(1000)).map(span => span.text).join('');
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(text, /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e]/);
  assert.ok(process.hrtime.bigint() - began < 5_000_000_000n);
});
