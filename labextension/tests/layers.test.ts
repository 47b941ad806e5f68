/**
 * Imports point down: tokens <- api <- model <- components <- widgets <- plugins; and only the API asks the server.
 */
import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { test } from 'node:test';

const SOURCES = join(__dirname, '..', '..', 'src');
const LAYERS = ['tokens', 'api', 'model', 'components', 'widgets', 'plugins', 'index'];

function listFiles(directory: string): string[] {
  return readdirSync(directory).flatMap(name => {
    const path = join(directory, name);
    return statSync(path).isDirectory() ? listFiles(path) : [path];
  });
}

function layerOf(path: string): number {
  const first = relative(SOURCES, path).split(sep)[0].replace(/\.tsx?$/, '');
  const layer = LAYERS.indexOf(first);
  assert.notEqual(layer, -1, `${path} has no layer`);
  return layer;
}

function importsOf(path: string): string[] {
  return [...readFileSync(path, 'utf-8').matchAll(/from '(\.[^']*)'/g)].map(found =>
    normalize(join(dirname(path), found[1]))
  );
}

for (const path of listFiles(SOURCES)) {
  test(`${relative(SOURCES, path)} imports from its own layer and those below`, () => {
    for (const imported of importsOf(path)) {
      assert.ok(layerOf(imported) <= layerOf(path), `it imports ${relative(SOURCES, imported)}`);
    }
  });
}

test('nothing but the API asks the server', () => {
  for (const path of listFiles(SOURCES)) {
    if (!path.includes(`${sep}api${sep}`)) {
      assert.doesNotMatch(readFileSync(path, 'utf-8'), /makeRequest|\bfetch\(|XMLHttpRequest|EventSource/, path);
    }
  }
});

test('nothing makes markup out of text', () => {
  for (const path of listFiles(SOURCES)) {
    assert.doesNotMatch(
      readFileSync(path, 'utf-8'),
      /dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML|document\.write|\beval\(/,
      path
    );
  }
});
