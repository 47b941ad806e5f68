/**
 * What the output of a card says of its job in the notebook's file, while the job had not ended. Pure.
 */
import { fields, parseTarget, text } from '../api/parse';
import { Target } from '../tokens';

/** In an output's metadata. */
export const MARK = 'sm_remote';

export interface ISavedCard {
  job: string;
  target: Target;
}

const JOB_NAME = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;

/** The job of a card that tells of a live one; null for any other output. */
export function readSavedCard(metadata: unknown): ISavedCard | null {
  const mark = fields(fields(metadata)[MARK]);
  const job = text(mark.job);
  return JOB_NAME.test(job) ? { job, target: parseTarget(mark.target) } : null;
}
