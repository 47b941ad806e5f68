import { strict as assert } from 'node:assert';
import { test } from 'node:test';

import { costUsd, elapsedS, formatBytes, formatDuration, formatNumber, formatUsd } from '../src/model/format';
import { filterRows, listNotebooks, NO_FILTER, sortRows } from '../src/model/job_filter';
import { layOutChart } from '../src/model/chart_path';
import { makeRemote } from '../src/model/magic_cell';
import { renderAttach, renderDecorator } from '../src/model/decorator_code';
import { readSavedCard } from '../src/model/saved_card';
import { EventSplitter } from '../src/api/event_stream';
import { parseChanges, parseDetails, parseJudgement, parseRow, parseSlice } from '../src/api/parse';
import { IJobRow } from '../src/tokens';

function row(name: string, more: Partial<IJobRow> = {}): IJobRow {
  return { ...parseRow({ name, status: 'Completed', target: 'local', ours: true, created_ms: 1000 }), ...more };
}

test('durations are read at a glance', () => {
  const words = [0, 0.31, 9.96, 42, 200, 7500, 273600].map(formatDuration);
  assert.deepEqual(words, ['0.0 s', '0.3 s', '10.0 s', '42 s', '3 min 20 s', '2 h 05 min', '3 d 04 h']);
  assert.equal(formatDuration(NaN), '');
});

test('sizes, money and numbers have no noise', () => {
  assert.deepEqual([0, 812, 1536, 5e6, 3e13].map(formatBytes), ['0 B', '812 B', '1.5 KiB', '4.8 MiB', '27.3 TiB']);
  assert.deepEqual([0, 0.0021, 1.339].map(formatUsd), ['$0.00', '$0.0021', '$1.34']);
  assert.deepEqual([0, 12, 1234, 0.1 + 0.2, 1e-5, 1.5e7].map(formatNumber), [
    ...['0', '12', '1,234', '0.3'],
    ...['1.000e-5', '15,000,000']
  ]);
});

test('a running job costs by the clock, an ended one by what was billed, one without a price is not known', () => {
  const running = row('a', { status: 'InProgress', startedMs: 1000, priceUsdPerHour: 3.6 });
  assert.equal(costUsd(running, 11000), 0.01);
  assert.equal(costUsd(row('a', { billableS: 100, priceUsdPerHour: 36, startedMs: 0, endedMs: 9e9 }), 0), 1);
  assert.equal(costUsd(row('a', { billableS: 100 }), 0), null);
  assert.equal(elapsedS(row('a', { endedMs: 4000 }), 9e9), 3);
  assert.equal(elapsedS(row('a', { status: 'InProgress', createdMs: 5000 }), 1000), 0);
});

test('running jobs come first, then the newest', () => {
  const rows = [row('old'), row('new', { createdMs: 3000 }), row('runs', { status: 'InProgress', createdMs: 2000 })];
  assert.deepEqual(sortRows(rows).map(each => each.name), ['runs', 'new', 'old']);
});

test('rows are found by state, notebook and every word of the text', () => {
  const rows = [
    row('fit-1', { notebook: 'a.ipynb', instanceType: 'ml.g5.xlarge' }),
    row('fit-2', { notebook: 'b.ipynb', status: 'Failed' }),
    row('score-1', { status: 'Stopping' })
  ];
  const names = (more: object) => filterRows(rows, { ...NO_FILTER, ...more }).map(each => each.name);
  assert.deepEqual(names({ text: 'FIT g5' }), ['fit-1']);
  assert.deepEqual(names({ state: 'running' }), ['score-1']);
  assert.deepEqual(names({ state: 'Failed' }), ['fit-2']);
  assert.deepEqual(names({ notebook: 'b.ipynb' }), ['fit-2']);
  assert.deepEqual(listNotebooks(rows), ['a.ipynb', 'b.ipynb']);
});

test('on SageMaker jobs of others are shown only when asked for, locally those not looked at yet are ours', () => {
  const rows = [row('mine', { target: 'sagemaker' }), row('theirs', { ours: false }), row('new', { ours: null })];
  const unknown = row('far', { target: 'sagemaker', ours: null });
  const names = (others: boolean) => filterRows([...rows, unknown], { ...NO_FILTER, others }).map(each => each.name);
  assert.deepEqual(names(false), ['mine', 'new']);
  assert.deepEqual(names(true), ['mine', 'theirs', 'new', 'far']);
});

test('settings become a decorator that Python reads, whatever their texts hold', () => {
  assert.equal(renderDecorator({}), '@remote');
  assert.equal(
    renderDecorator({ use_spot_instances: true, tags: { 'a"b': 'c\nd' }, dependencies: null }),
    '@remote(use_spot_instances=True, tags={"a\\"b": "c\\nd"}, dependencies=None)'
  );
  const long = renderDecorator({ image_uri: 'x'.repeat(90), volume_size: 3 });
  assert.equal(long, `@remote(\n    image_uri="${'x'.repeat(90)}",\n    volume_size=3,\n)`);
  assert.ok(!renderDecorator({ job_name_prefix: '\u202e' }).includes('\u202e'));
});

test('attach code names the target where it is not this computer', () => {
  assert.match(renderAttach('fit-1', 'local', 'fit'), /attach\("fit-1"\)/);
  assert.match(renderAttach('fit-1', 'sagemaker', null), /attach\("fit-1", target="sagemaker"\)/);
});

test('the names of a cell come back by the magic', () => {
  assert.equal(renderAttach('cell-1', 'local', 'cell'), '%reload_ext sm_remote\n%remote attach cell-1');
  assert.match(renderAttach('cell-1', 'sagemaker', 'cell'), /attach cell-1 --target sagemaker$/);
  assert.match(renderAttach('x\n!rm', 'local', 'cell'), /^from sm_remote/);
});

test('a cell is made remote once, and other cell magics are left alone', () => {
  assert.equal(makeRemote('x = 1'), '%%remote\nx = 1');
  assert.equal(makeRemote('%%remote --spot\nx = 1'), '%%remote --spot\nx = 1');
  assert.equal(makeRemote('%%bash\nls'), null);
  assert.equal(makeRemote('  \n'), null);
  assert.equal(makeRemote('%%remotely\nx'), null);
});

test('a chart fills its box, also with one point and with equal ones', () => {
  const chart = layOutChart([{ x: 0, y: 1 }, { x: 10, y: 3 }], 100, 50);
  assert.deepEqual(chart, { path: 'M0.0 50.0L100.0 0.0', lowest: 1, highest: 3, last: 3 });
  assert.equal(layOutChart([{ x: 5, y: 5 }], 100, 50)?.path, 'M50.0 25.0');
  assert.equal(layOutChart([], 100, 50), null);
});

test('events are whole however the bytes are cut', () => {
  const sent = 'event: slice\ndata: {"a":1}\n\n: comment\n\nevent: problem\ndata: x\n\n';
  for (let size = 1; size < sent.length; size++) {
    const splitter = new EventSplitter();
    const found = [];
    for (let at = 0; at < sent.length; at += size) {
      found.push(...splitter.push(sent.slice(at, at + size)));
    }
    assert.deepEqual(found, [
      { name: 'slice', data: '{"a":1}' },
      { name: 'problem', data: 'x' }
    ]);
  }
});

test('answers of any shape are read without an error', () => {
  for (const value of [null, 7, 'x', [], {}, { rows: 3 }, { rows: [null, { name: {} }] }, { lines: [[], 'x', [1]] }]) {
    parseChanges(value), parseDetails(value), parseSlice(value), parseJudgement(value);
  }
  assert.equal(parseRow({ name: {}, created_ms: 'x', price_usd_per_hour: NaN }).name, '');
});

test('only the card of a live job names one', () => {
  const card = { sm_remote: { job: 'cell-1', target: 'sagemaker' } };
  assert.deepEqual(readSavedCard(card), { job: 'cell-1', target: 'sagemaker' });
  for (const metadata of [undefined, {}, { sm_remote: {} }, { sm_remote: { job: '../../state' } }, { job: 'cell-1' }]) {
    assert.equal(readSavedCard(metadata), null);
  }
});
