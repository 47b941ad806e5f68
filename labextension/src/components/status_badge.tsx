import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { isRunning } from '../model/format';
import { IJobRow } from '../tokens';
import { nameStatus } from './texts';

interface IProps {
  row: IJobRow;
  stopping: boolean;
  trans: TranslationBundle;
}

/** Shapes differ, so that no meaning is in the colour alone. */
const SYMBOLS: Record<string, string> = { Completed: '✓', Failed: '✕', Stopped: '■', Stopping: '■' };

export function StatusBadge({ row, stopping, trans }: IProps): JSX.Element {
  const symbol = stopping ? '■' : SYMBOLS[row.status] ?? '▶';
  return (
    <span className={`sm-Status sm-mod-${row.status} ${isRunning(row) ? 'sm-mod-running' : ''}`}>
      <span className="sm-Status-symbol" aria-hidden="true">
        {symbol}
      </span>
      {nameStatus(row, stopping, trans)}
    </span>
  );
}
