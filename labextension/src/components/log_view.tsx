import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useMemo, useRef, useState } from 'react';

import { LogModel } from '../model/log';
import { searchLines } from '../model/log_lines';
import { LogLine } from './log_line';
import { ProblemMessage } from './problem_message';
import { useSignal } from './use_signal';

interface IProps {
  log: LogModel;
  trans: TranslationBundle;
  onDownload: () => void;
}

/** A log that follows its end until the reader scrolls away, and can be searched, copied and kept. */
export function LogView({ log, trans, onDownload }: IProps): JSX.Element {
  useSignal(log.changed);
  const [wanted, setWanted] = useState('');
  const [times, setTimes] = useState(false);
  const [wrap, setWrap] = useState(true);
  const [atEnd, setAtEnd] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const lines = log.lines;
  const found = useMemo(() => searchLines(lines, wanted), [lines, wanted]);
  const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight });
  useEffect(() => {
    if (atEnd) {
      toEnd();
    }
  }, [found, atEnd]);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    setAtEnd(scrollHeight - scrollTop - clientHeight < 24);
  };
  const copy = () => void navigator.clipboard?.writeText(found.map(line => line.text).join('\n'));
  return (
    <div className="sm-Log">
      <div className="sm-Log-tools" role="toolbar" aria-label={trans.__('Log tools')}>
        <input
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Search the log')}
          aria-label={trans.__('Search the log')}
          value={wanted}
          onChange={event => setWanted(event.target.value)}
        />
        {!log.ended && (
          <button type="button" className="sm-Button" aria-pressed={log.paused} onClick={() => (log.paused = !log.paused)}>
            {log.paused ? trans.__('Follow (%1 new)', log.waiting) : trans.__('Pause')}
          </button>
        )}
        <button type="button" className="sm-Button" aria-pressed={times} onClick={() => setTimes(!times)}>
          {trans.__('Times')}
        </button>
        <button type="button" className="sm-Button" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
          {trans.__('Wrap')}
        </button>
        <button type="button" className="sm-Button" onClick={copy}>
          {trans.__('Copy')}
        </button>
        <button type="button" className="sm-Button" onClick={onDownload}>
          {trans.__('Download')}
        </button>
      </div>
      {log.problem && <ProblemMessage problem={log.problem} trans={trans} />}
      <div
        ref={box}
        className={`sm-Log-lines ${wrap ? 'sm-mod-wrap' : ''}`}
        role="log"
        aria-live="off"
        aria-label={trans.__('Log of %1', log.name)}
        tabIndex={0}
        onScroll={onScroll}
      >
        {log.hasEarlier && (
          <button type="button" className="sm-Button" onClick={() => void log.loadEarlier()}>
            {trans.__('Load earlier lines')}
          </button>
        )}
        {log.dropped > 0 && (
          <p className="sm-Hint">
            {trans._n('%1 earlier line is in the download.', '%1 earlier lines are in the download.', log.dropped)}
          </p>
        )}
        {found.map(line => (
          <LogLine key={line.id} line={line} time={times} />
        ))}
        {log.loaded && lines.length === 0 && <p className="sm-Hint">{describeEmpty(log, trans)}</p>}
      </div>
      {!atEnd && (
        <button type="button" className="sm-Button sm-Log-jump" onClick={toEnd}>
          {trans.__('Jump to the latest line')}
        </button>
      )}
    </div>
  );
}

function describeEmpty(log: LogModel, trans: TranslationBundle): string {
  return log.ended ? trans.__('The job wrote nothing.') : trans.__('Nothing is written yet.');
}
