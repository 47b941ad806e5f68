/**
 * Settings as Python code, so that what was clicked can be written down. Pure.
 */

/** `@remote(instance_type="ml.m5.large", volume_size=50)`. */
export function renderDecorator(values: Record<string, unknown>): string {
  const given = Object.entries(values).map(([name, value]) => `${name}=${toPython(value)}`);
  if (given.length === 0) {
    return '@remote';
  }
  const line = `@remote(${given.join(', ')})`;
  return line.length <= 88 ? line : `@remote(\n${given.map(each => `    ${each},\n`).join('')})`;
}

/** What the job of a cell is called as a function. */
const CELL = 'cell';

/** How the job's value is got back in a notebook; a cell's names and output by the magic, which takes a function too. */
export function renderAttach(name: string, target: string, ran: string | null): string {
  if (ran === CELL && /^[\w-]+$/.test(name)) {
    // Unlike %load_ext it says nothing where the magics are there already.
    return `%reload_ext sm_remote\n%remote attach ${name}${target === 'sagemaker' ? ' --target sagemaker' : ''}`;
  }
  const where = target === 'local' ? '' : `, target=${toPython(target)}`;
  return `from sm_remote import attach\n\njob = attach(${toPython(name)}${where})\njob.result()`;
}

export function toPython(value: unknown): string {
  if (value === null || value === undefined) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (typeof value === 'number') {
    return `${value}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(toPython).join(', ')}]`;
  }
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([name, item]) => `${toPython(name)}: ${toPython(item)}`)
      .join(', ')}}`;
  }
  // What JSON escapes, Python reads alike; beyond it, characters that would hide what the code says.
  return JSON.stringify(String(value)).replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  );
}
