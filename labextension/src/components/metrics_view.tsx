import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { layOutChart, span } from '../model/chart_path';
import { formatNumber } from '../model/format';
import { ICourse } from '../tokens';

const WIDTH = 160;
const HEIGHT = 36;

/** Each metric with its last value, and its course where more than one point is known. */
export function MetricsView({ courses, trans }: { courses: readonly ICourse[]; trans: TranslationBundle }): JSX.Element {
  return (
    <ul className="sm-Metrics" aria-label={trans.__('Metrics')}>
      {courses.map(each => (
        <li key={`${each.host} ${each.name}`}>
          <span className="sm-Metrics-name">{each.host ? `${nameMetric(each.name, trans)} (${each.host})` : each.name}</span>
          <Chart course={each} trans={trans} />
          <span className="sm-Metrics-value">
            {write(each, last(each))}
            <Range course={each} trans={trans} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Chart({ course, trans }: { course: ICourse; trans: TranslationBundle }): JSX.Element {
  const chart = course.points.length > 1 ? layOutChart(course.points, WIDTH, HEIGHT) : null;
  if (chart === null) {
    return <span />;
  }
  const said = trans.__(
    '%1 points from %2 to %3',
    course.points.length,
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

/** The chart has no axis, so this tells what it spans. */
function Range({ course, trans }: { course: ICourse; trans: TranslationBundle }): JSX.Element | null {
  const [lowest, highest] = span(course.points.map(point => point.y));
  return lowest === highest ? null : (
    <small>{trans.__('%1 to %2', write(course, lowest), write(course, highest))}</small>
  );
}

/** A value of a course: what a container uses is a share. */
function write(course: ICourse, value: number): string {
  return course.host ? `${value.toFixed(1)} %` : formatNumber(value);
}

function last(course: ICourse): number {
  return course.points[course.points.length - 1].y;
}

/** What containers use, in words; a metric of the job's own keeps its name. */
function nameMetric(name: string, trans: TranslationBundle): string {
  const names: Record<string, string> = {
    CPUUtilization: trans.__('CPU'),
    MemoryUtilization: trans.__('Memory'),
    GPUUtilization: trans.__('GPU'),
    GPUMemoryUtilization: trans.__('GPU memory'),
    DiskUtilization: trans.__('Disk')
  };
  return names[name] ?? name;
}
