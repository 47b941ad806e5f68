/**
 * The one typed client of the server extension.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import {
  IArtefact,
  ICourse,
  IInstanceType,
  IJobChanges,
  IJobDetails,
  IJudgement,
  ILogSlice,
  IProblem,
  Target
} from '../tokens';
import {
  fields,
  parseArtefacts,
  parseChanges,
  parseCourses,
  parseDetails,
  parseInstanceTypes,
  parseJudgement,
  parseProblem,
  parseSlice,
  parseTarget,
  text
} from './parse';
import { readEvents } from './event_stream';

const PREFIX = 'sm-remote';

/** An answer that is no success, with what the server said of it. */
export class ApiError extends Error {
  constructor(readonly problem: IProblem) {
    super([problem.what, problem.why, problem.fix].filter(Boolean).join('\n'));
  }
}

/** What an error means, whatever it is. */
export function toProblem(error: unknown): IProblem {
  if (error instanceof ApiError) {
    return error.problem;
  }
  if (error instanceof ServerConnection.NetworkError) {
    return { code: 'no_server', what: '', why: '', fix: '' };
  }
  return { code: 'unexpected', what: String(error), why: '', fix: '' };
}

export class Client {
  constructor(private readonly _serverSettings: ServerConnection.ISettings) {}

  async state(): Promise<{ version: string; target: Target; problem: IProblem | null }> {
    const found = fields(await this._get(['state']));
    return { version: text(found.version), target: parseTarget(found.target), problem: parseProblem(found.problem) };
  }

  async jobs(target: Target, since: number, panel: boolean, refresh: boolean): Promise<IJobChanges> {
    const query = { since: `${since}`, attention: panel ? 'panel' : 'background', refresh: refresh ? '1' : '0' };
    return parseChanges(await this._get([target, 'jobs'], query));
  }

  async job(target: Target, name: string): Promise<IJobDetails> {
    return parseDetails(await this._get([target, 'jobs', name]));
  }

  /** A job's card as a notebook keeps it, and whether the job has not ended. */
  async card(target: Target, name: string): Promise<{ live: boolean; data: Record<string, string> }> {
    const found = fields(await this._get([target, 'jobs', name, 'card']));
    const data = fields(found.data);
    return {
      live: found.live !== false,
      data: { 'text/html': text(data['text/html']), 'text/plain': text(data['text/plain']) }
    };
  }

  async stop(target: Target, name: string): Promise<void> {
    await this._send('POST', [target, 'jobs', name, 'stop'], {});
  }

  /** Runs the same job again, and says its name. */
  async replay(target: Target, name: string): Promise<string> {
    return text(fields(await this._send('POST', [target, 'jobs', name, 'replay'], {})).name);
  }

  async log(target: Target, name: string, place: { after?: string; before?: string }): Promise<ILogSlice> {
    return parseSlice(await this._get([target, 'jobs', name, 'log'], { ...place }));
  }

  /** The slices of a log as they come; ends with the log, and throws where the stream breaks. */
  async *logStream(
    target: Target,
    name: string,
    after: string,
    signal: AbortSignal,
    silenceMs: number
  ): AsyncGenerator<ILogSlice> {
    const query: Record<string, string> = after ? { after } : {};
    const url = this._url([target, 'jobs', name, 'log', 'stream'], query);
    const response = await ServerConnection.makeRequest(url, { signal }, this._serverSettings);
    if (!response.ok || response.body === null) {
      throw new ApiError(await readProblem(response));
    }
    for await (const event of readEvents(response.body, silenceMs)) {
      if (event.name === 'problem') {
        throw new ApiError(parseProblem(JSON.parse(event.data)) ?? unreadable(response.status));
      }
      yield parseSlice(JSON.parse(event.data));
    }
  }

  async metrics(target: Target, name: string): Promise<ICourse[]> {
    return parseCourses(await this._get([target, 'jobs', name, 'metrics']));
  }

  async artefacts(target: Target, name: string): Promise<IArtefact[]> {
    return parseArtefacts(await this._get([target, 'jobs', name, 'artefacts']));
  }

  /** A file that a job left, or its whole log, as what a browser saves. */
  async download(target: Target, name: string, what: { artefact: string } | 'log'): Promise<Blob> {
    const url =
      what === 'log'
        ? this._url([target, 'jobs', name, 'log', 'file'], {})
        : this._url([target, 'jobs', name, 'artefacts', 'file'], { path: what.artefact });
    const response = await ServerConnection.makeRequest(url, {}, this._serverSettings);
    if (!response.ok) {
      throw new ApiError(await readProblem(response));
    }
    return response.blob();
  }

  async judge(path: string, values: Record<string, unknown>, trusted: boolean): Promise<IJudgement> {
    return parseJudgement(await this._send('POST', ['settings'], { path, values, trusted }));
  }

  async confirm(values: Record<string, unknown>): Promise<void> {
    await this._send('POST', ['settings', 'confirm'], { values });
  }

  async setUserSettings(values: Record<string, unknown>): Promise<void> {
    await this._send('PATCH', ['settings', 'user'], { values });
  }

  async instanceTypes(): Promise<IInstanceType[]> {
    return parseInstanceTypes(await this._get(['instance-types']));
  }

  private _url(path: string[], query: Record<string, string>): string {
    const url = URLExt.join(this._serverSettings.baseUrl, PREFIX, ...path.map(encodeURIComponent));
    return url + URLExt.objectToQueryString(query);
  }

  private async _get(path: string[], query: Record<string, string> = {}): Promise<unknown> {
    return this._request(this._url(path, query), {});
  }

  private async _send(method: string, path: string[], body: unknown): Promise<unknown> {
    return this._request(this._url(path, {}), { method, body: JSON.stringify(body) });
  }

  private async _request(url: string, init: RequestInit): Promise<unknown> {
    const response = await ServerConnection.makeRequest(url, init, this._serverSettings);
    if (!response.ok) {
      throw new ApiError(await readProblem(response));
    }
    return response.status === 204 ? null : response.json();
  }
}

async function readProblem(response: Response): Promise<IProblem> {
  const found = await response.json().catch(() => null);
  const problem = parseProblem(found);
  if (problem !== null) {
    return problem;
  }
  // Jupyter's own page for a route that nobody serves.
  return response.status === 404 ? { code: 'no_extension', what: '', why: '', fix: '' } : unreadable(response.status);
}

function unreadable(status: number): IProblem {
  return { code: 'unexpected', what: `HTTP ${status}`, why: '', fix: '' };
}
