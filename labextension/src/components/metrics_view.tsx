import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { layOutChart } from '../model/chart_path';
import { formatNumber } from '../model/format';
import { ISeries } from '../model/series';

const WIDTH = 160;
const HEIGHT = 36;

/** Each metric with its last value, and its course where more than one point is known. */
export function MetricsView({ series, trans }: { series: readonly ISeries[]; trans: TranslationBundle }): JSX.Element {
  return (
    <ul className="sm-Metrics" aria-label={trans.__('Metrics')}>
      {series.map(each => (
        <li key={each.name}>
          <span className="sm-Metrics-name">{each.name}</span>
          <Chart series={each} trans={trans} />
          <span className="sm-Metrics-value">{formatNumber(each.points[each.points.length - 1].y)}</span>
        </li>
      ))}
    </ul>
  );
}

function Chart({ series, trans }: { series: ISeries; trans: TranslationBundle }): JSX.Element {
  const chart = series.points.length > 1 ? layOutChart(series.points, WIDTH, HEIGHT) : null;
  if (chart === null) {
    return <span />;
  }
  const said = trans.__(
    '%1 points from %2 to %3',
    series.points.length,
    formatNumber(chart.lowest),
    formatNumber(chart.highest)
  );
  return (
    <svg
      className="sm-Chart"
      role="img"
      aria-label={said}
      viewBox={`-2 -2 ${WIDTH + 4} ${HEIGHT + 4}`}
      preserveAspectRatio="none"
    >
      <title>{said}</title>
      <path d={chart.path} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
