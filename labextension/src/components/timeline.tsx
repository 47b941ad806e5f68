import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { formatDuration } from '../model/format';
import { IPhase } from '../tokens';
import { namePhase } from './texts';
import { useNow } from './use_signal';

interface IProps {
  phases: readonly IPhase[];
  running: boolean;
  trans: TranslationBundle;
}

const ENDS: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Stopped']);

/** The phases of a job, each with its share of the time. */
export function Timeline({ phases, running, trans }: IProps): JSX.Element {
  const now = useNow(running);
  const shown = phases.filter(phase => !ENDS.has(phase.name));
  if (shown.length === 0) {
    return <p className="sm-Hint">{trans.__('Nothing has begun yet.')}</p>;
  }
  const start = shown[0].startMs;
  const ends = shown.map(phase => phase.endMs ?? (running ? now : phase.startMs));
  const whole = Math.max(1, Math.max(...ends) - start);
  return (
    <ol className="sm-Timeline">
      {shown.map((phase, index) => (
        <li key={index} title={phase.message} className={phase.name === 'Interrupted' ? 'sm-mod-interrupted' : ''}>
          <span className="sm-Timeline-name">{namePhase(phase.name, trans)}</span>
          <span className="sm-Timeline-track" aria-hidden="true">
            <span
              className="sm-Timeline-bar"
              style={{
                marginLeft: `${Math.min(98, ((phase.startMs - start) / whole) * 100)}%`,
                width: `${((ends[index] - phase.startMs) / whole) * 100}%`
              }}
            />
          </span>
          <span className="sm-Timeline-time">{formatDuration((ends[index] - phase.startMs) / 1000)}</span>
        </li>
      ))}
    </ol>
  );
}
