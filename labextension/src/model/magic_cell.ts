/**
 * A cell's code with `%%remote` before it. Pure.
 */

const MAGIC = '%%remote';

/** The code that runs a cell as a training job; null for a cell that has nothing to run, or another cell magic. */
export function makeRemote(source: string): string | null {
  const code = source.trimStart();
  if (code === '') {
    return null;
  }
  if (code.startsWith('%%')) {
    return /^%%remote(\s|$)/.test(code) ? source : null;
  }
  return `${MAGIC}\n${source}`;
}
