import React, { memo } from 'react';

import { FLAGS, ISpan, IStyle } from '../model/ansi';
import { IShownLine } from '../model/log_lines';

/** One line: text nodes with classes, and colours that were read as numbers. */
export const LogLine = memo(
  function LogLine({ line, time }: { line: IShownLine; time: boolean }): JSX.Element {
    return (
      <div className="sm-LogLine">
        {time && <span className="sm-LogLine-time">{new Date(line.timeMs).toLocaleTimeString('en-GB')} </span>}
        {line.host && <span className="sm-LogLine-host">[{line.host}] </span>}
        {line.spans.map((span, index) => (
          <Span key={index} span={span} />
        ))}
      </div>
    );
  },
  (before, after) =>
    before.line.id === after.line.id && before.line.version === after.line.version && before.time === after.time
);

function Span({ span }: { span: ISpan }): JSX.Element {
  const [className, style] = translate(span.style);
  return className || style ? (
    <span className={className} style={style}>
      {span.text}
    </span>
  ) : (
    <>{span.text}</>
  );
}

function translate(style: IStyle): [string | undefined, React.CSSProperties | undefined] {
  const classes = FLAGS.filter(flag => style[flag]).map(flag => `sm-ansi-${flag}`);
  const own: React.CSSProperties = {};
  if (typeof style.fg === 'number') {
    classes.push(`sm-ansi-fg${style.fg}`);
  } else if (style.fg !== undefined) {
    own.color = style.fg;
  }
  if (typeof style.bg === 'number') {
    classes.push(`sm-ansi-bg${style.bg}`);
  } else if (style.bg !== undefined) {
    own.backgroundColor = style.bg;
  }
  return [classes.join(' ') || undefined, Object.keys(own).length > 0 ? own : undefined];
}
