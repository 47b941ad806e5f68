/**
 * What the panel's parts know of each other: the shapes of its data, and the tokens under which plugins find it.
 */
import { Token } from '@lumino/coreutils';
import { ISignal } from '@lumino/signaling';

export type Target = 'local' | 'sagemaker';

/** A problem in the three parts that every error of sm_remote has. */
export interface IProblem {
  code: string;
  what: string;
  why: string;
  fix: string;
}

/** One training job in the list; null is "not known". Moments are milliseconds since 1970. */
export interface IJobRow {
  name: string;
  target: Target;
  status: string;
  secondaryStatus: string | null;
  createdMs: number;
  startedMs: number | null;
  endedMs: number | null;
  instanceType: string | null;
  instanceCount: number;
  spot: boolean;
  interruptions: number;
  /** Which of its call's jobs it is: above 1 it goes on for one that could not be had or has failed. */
  number: number;
  billableS: number | null;
  priceUsdPerHour: number | null;
  notebook: string | null;
  cell: string | null;
  function: string | null;
  ours: boolean | null;
  reason: string | null;
}

export interface IJobChanges {
  target: Target;
  seq: number;
  whole: boolean;
  asOfMs: number | null;
  problem: IProblem | null;
  rows: IJobRow[];
}

export interface IPhase {
  name: string;
  startMs: number;
  endMs: number | null;
  message: string;
}

export interface IFailure {
  kind: string;
  headline: string;
  text: string;
  exitCode: string;
  reason: string;
}

export interface IMetric {
  name: string;
  value: number;
  timeMs: number | null;
}

/** A metric over time; the host is empty for what the job's log showed. */
export interface ICourse {
  name: string;
  host: string;
  points: { x: number; y: number }[];
}

/** One of several attempts of a job; null is "not known", or "it lasts". */
export interface IAttempt {
  number: number;
  durationS: number | null;
  cause: string;
  lostS: number | null;
  lostIsEstimate: boolean;
  resumedStep: number | null;
  /** Empty where all attempts ran on the same machine. */
  instanceType: string;
  spot: boolean;
}

export interface IJobDetails {
  row: IJobRow;
  failure: IFailure | null;
  phases: IPhase[];
  inputs: { channel: string; uri: string }[];
  outputUri: string;
  checkpointUri: string | null;
  /** What an interruption would cost now; empty where none can come. */
  checkpointNote: string;
  attempts: IAttempt[];
  metrics: IMetric[];
  hyperparameters: Record<string, string>;
  environmentNames: string[];
  settings: { name: string; value: unknown }[];
  tags: Record<string, string>;
}

/** A line of a log as it came: when, from which host (empty where there is one), and the text with its control codes. */
export interface ILogLine {
  timeMs: number;
  host: string;
  text: string;
}

export interface ILogSlice {
  lines: ILogLine[];
  after: string;
  before: string | null;
  ended: boolean;
  status: string;
}

export interface IArtefact {
  path: string;
  kind: string;
  sizeBytes: number;
}

export interface IInstanceType {
  name: string;
  vcpu: number | null;
  memoryGib: number | null;
  accelerator: string | null;
  acceleratorCount: number;
  priceUsdPerHour: number | null;
}

export interface ISettingSchema {
  description: string;
  accepts: string;
  type: string[];
  choices: string[];
  minimum: number | null;
  maximum: number | null;
}

export interface ISetting {
  name: string;
  value: unknown;
  origin: string;
  /** Why a notebook may not carry it; null where it may. */
  private: string | null;
  schema: ISettingSchema;
}

export interface IEstimate {
  free: boolean;
  priceUsdPerHour: number | null;
  region: string;
  /** Who says what the price is, and when. */
  origin: string;
  mostUsd: number | null;
  maxRuntimeS: number;
}

/** What Python says of a notebook's settings. */
export interface IJudgement {
  settings: ISetting[];
  usual: Record<string, [unknown, string]>;
  groups: { name: string; settings: string[] }[];
  problems: Record<string, IProblem>;
  conflict: IProblem | null;
  held: Record<string, unknown>;
  private: Record<string, string>;
  taken: Record<string, unknown>;
  estimate: IEstimate;
}

/** How an ended job is told about. */
export interface IJobEnding {
  row: IJobRow;
  kind: 'finished' | 'failed' | 'stopped' | 'interrupted';
}

/** The list of jobs, for whoever shows it or a part of it. */
export interface IJobs {
  readonly target: Target;
  readonly rows: readonly IJobRow[];
  readonly running: readonly IJobRow[];
  readonly problem: IProblem | null;
  readonly changed: ISignal<IJobs, void>;
  readonly ended: ISignal<IJobs, IJobEnding>;
  refresh(): Promise<void>;
  stop(row: IJobRow): Promise<void>;
}

/** What other extensions get of the panel. */
export interface ISmRemote {
  readonly jobs: IJobs;
  /** Shows the panel, with a job in it where one is named. */
  open(jobName?: string): void;
}

export const ISmRemote = new Token<ISmRemote>(
  '@sm-remote/labextension:ISmRemote',
  'The training jobs of sm_remote, and the panel that shows them.'
);

export namespace CommandIDs {
  export const open = 'sm-remote:open-panel';
  export const openJob = 'sm-remote:open-job';
  export const refresh = 'sm-remote:refresh-jobs';
  export const stopJob = 'sm-remote:stop-job';
  export const attachJob = 'sm-remote:attach-job';
  export const runCell = 'sm-remote:run-cell';
}
