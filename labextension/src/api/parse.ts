/**
 * Reads what the server answers. Nothing that comes over the network is believed to have a shape: what is missing or
 * of another kind becomes "not known".
 */
import {
  IArtefact,
  ICourse,
  IEstimate,
  IFailure,
  IInstanceType,
  IJobChanges,
  IJobDetails,
  IJobRow,
  IJudgement,
  ILogSlice,
  IProblem,
  ISetting,
  Target
} from '../tokens';

type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function list<T>(value: unknown, parse: (item: unknown) => T): T[] {
  return Array.isArray(value) ? value.map(parse) : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function number(value: unknown): number {
  return numberOrNull(value) ?? 0;
}

function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(fields(value)).map(([name, item]) => [name, text(item)]));
}

export function parseTarget(value: unknown): Target {
  return value === 'sagemaker' ? 'sagemaker' : 'local';
}

export function parseProblem(value: unknown): IProblem | null {
  const found = fields(value);
  if (typeof found.what !== 'string') {
    return null;
  }
  return { code: text(found.code), what: found.what, why: text(found.why), fix: text(found.fix) };
}

export function parseRow(value: unknown): IJobRow {
  const row = fields(value);
  return {
    name: text(row.name),
    target: parseTarget(row.target),
    status: text(row.status),
    secondaryStatus: textOrNull(row.secondary_status),
    createdMs: number(row.created_ms),
    startedMs: numberOrNull(row.started_ms),
    endedMs: numberOrNull(row.ended_ms),
    instanceType: textOrNull(row.instance_type),
    instanceCount: number(row.instance_count) || 1,
    spot: row.spot === true,
    interruptions: number(row.interruptions),
    number: number(row.number),
    billableS: numberOrNull(row.billable_s),
    priceUsdPerHour: numberOrNull(row.price_usd_per_hour),
    notebook: textOrNull(row.notebook),
    cell: textOrNull(row.cell),
    function: textOrNull(row.function),
    ours: typeof row.ours === 'boolean' ? row.ours : null,
    reason: textOrNull(row.reason)
  };
}

export function parseChanges(value: unknown): IJobChanges {
  const found = fields(value);
  return {
    target: parseTarget(found.target),
    seq: number(found.seq),
    whole: found.whole === true,
    asOfMs: numberOrNull(found.as_of_ms),
    problem: parseProblem(found.problem),
    rows: list(found.rows, parseRow)
  };
}

function parseFailure(value: unknown): IFailure | null {
  const found = fields(value);
  if (typeof found.reason !== 'string') {
    return null;
  }
  return {
    kind: text(found.kind),
    headline: text(found.headline),
    text: text(found.text),
    exitCode: text(found.exit_code),
    reason: found.reason
  };
}

export function parseDetails(value: unknown): IJobDetails {
  const found = fields(value);
  return {
    row: parseRow(found.row),
    failure: parseFailure(found.failure),
    phases: list(found.phases, item => {
      const phase = fields(item);
      return {
        name: text(phase.name),
        startMs: number(phase.start_ms),
        endMs: numberOrNull(phase.end_ms),
        message: text(phase.message)
      };
    }),
    inputs: list(found.inputs, item => ({ channel: text(fields(item).channel), uri: text(fields(item).uri) })),
    outputUri: text(found.output_uri),
    checkpointUri: textOrNull(found.checkpoint_uri),
    checkpointNote: text(found.checkpoint_note),
    attempts: list(found.attempts, item => {
      const attempt = fields(item);
      return {
        number: number(attempt.number),
        durationS: numberOrNull(attempt.duration_s),
        cause: text(attempt.cause),
        lostS: numberOrNull(attempt.lost_s),
        lostIsEstimate: attempt.lost_is_estimate === true,
        resumedStep: numberOrNull(attempt.resumed_step),
        instanceType: text(attempt.instance_type),
        spot: attempt.spot === true
      };
    }),
    metrics: list(found.metrics, item => {
      const metric = fields(item);
      return { name: text(metric.name), value: number(metric.value), timeMs: numberOrNull(metric.time_ms) };
    }),
    hyperparameters: texts(found.hyperparameters),
    environmentNames: list(found.environment_names, text),
    settings: list(found.settings, item => ({ name: text(fields(item).name), value: fields(item).value })),
    tags: texts(found.tags)
  };
}

export function parseSlice(value: unknown): ILogSlice {
  const found = fields(value);
  return {
    lines: list(found.lines, item => {
      const line = Array.isArray(item) ? item : [];
      return { timeMs: number(line[0]), host: text(line[1]), text: text(line[2]) };
    }),
    after: text(found.after),
    before: textOrNull(found.before),
    ended: found.ended === true,
    status: text(found.status)
  };
}

export function parseCourses(value: unknown): ICourse[] {
  return list(fields(value).courses, item => {
    const course = fields(item);
    const points = list(course.points, pair => (Array.isArray(pair) ? { x: number(pair[0]), y: number(pair[1]) } : null));
    return {
      name: text(course.name),
      host: text(course.host),
      points: points.filter((point): point is { x: number; y: number } => point !== null)
    };
  });
}

export function parseArtefacts(value: unknown): IArtefact[] {
  return list(fields(value).files, item => {
    const file = fields(item);
    return { path: text(file.path), kind: text(file.kind), sizeBytes: number(file.size_bytes) };
  });
}

export function parseInstanceTypes(value: unknown): IInstanceType[] {
  return list(fields(value).types, item => {
    const found = fields(item);
    return {
      name: text(found.name),
      vcpu: numberOrNull(found.vcpu),
      memoryGib: numberOrNull(found.memory_gib),
      accelerator: textOrNull(found.accelerator),
      acceleratorCount: number(found.accelerator_count),
      priceUsdPerHour: numberOrNull(found.price_usd_per_hour)
    };
  });
}

function parseSetting(value: unknown): ISetting {
  const setting = fields(value);
  const schema = fields(setting.schema);
  return {
    name: text(setting.name),
    value: setting.value,
    origin: text(setting.origin),
    private: textOrNull(setting.private),
    schema: {
      description: text(schema.description),
      accepts: text(schema.accepts),
      type: Array.isArray(schema.type) ? list(schema.type, text) : [text(schema.type)],
      choices: list(schema.enum, text),
      minimum: numberOrNull(schema.minimum),
      maximum: numberOrNull(schema.maximum)
    }
  };
}

function parseEstimate(value: unknown): IEstimate {
  const found = fields(value);
  return {
    free: found.free === true,
    priceUsdPerHour: numberOrNull(found.price_usd_per_hour),
    region: text(found.region),
    origin: text(found.origin),
    mostUsd: numberOrNull(found.most_usd),
    maxRuntimeS: number(found.max_runtime_s)
  };
}

export function parseJudgement(value: unknown): IJudgement {
  const found = fields(value);
  const problems: Record<string, IProblem> = {};
  for (const [name, item] of Object.entries(fields(found.problems))) {
    const problem = parseProblem(item);
    if (problem !== null) {
      problems[name] = problem;
    }
  }
  const usual: Record<string, [unknown, string]> = {};
  for (const [name, item] of Object.entries(fields(found.usual))) {
    usual[name] = Array.isArray(item) ? [item[0], text(item[1])] : [null, ''];
  }
  return {
    settings: list(found.settings, parseSetting),
    usual,
    groups: list(found.groups, item => ({
      name: text(fields(item).name),
      settings: list(fields(item).settings, text)
    })),
    problems,
    conflict: parseProblem(found.conflict),
    held: fields(found.held),
    private: texts(found.private),
    taken: fields(found.taken),
    estimate: parseEstimate(found.estimate)
  };
}
