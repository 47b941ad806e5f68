/**
 * The course of each metric while a job is looked at: what the API gives is the last value, time after time. Pure.
 */
import { IMetric } from '../tokens';
import { IPoint } from './chart_path';

export interface ISeries {
  name: string;
  points: IPoint[];
}

const MOST_POINTS = 500;

/** The series with what is known now; the same values again add nothing. */
export function addMetrics(series: readonly ISeries[], metrics: readonly IMetric[], nowMs: number): ISeries[] {
  const known = new Map(series.map(each => [each.name, each.points]));
  return metrics.map(metric => {
    const points = known.get(metric.name) ?? [];
    const x = metric.timeMs ?? nowMs;
    const last = points[points.length - 1];
    const isNew = last === undefined || (metric.timeMs === null ? last.y !== metric.value : last.x !== x);
    return { name: metric.name, points: isNew ? [...points, { x, y: metric.value }].slice(-MOST_POINTS) : points };
  });
}
