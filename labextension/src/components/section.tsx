import React from 'react';

interface IProps {
  title: string;
  /** Whether it can be closed, and then whether it is open at first. */
  folded?: boolean;
  children: React.ReactNode;
}

/** A part of a view under a heading of its own. */
export function Section({ title, folded, children }: IProps): JSX.Element {
  if (folded === undefined) {
    return (
      <section className="sm-Section" aria-label={title}>
        <h4>{title}</h4>
        {children}
      </section>
    );
  }
  return (
    <details className="sm-Section" open={!folded}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}

/** Names with their values. */
export function Facts({ rows }: { rows: [string, string][] }): JSX.Element {
  return (
    <dl className="sm-FactList">
      {rows.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}
