/**
 * Which courses of metrics are shown. Pure.
 */
import { ICourse, IMetric } from '../tokens';

/** Those that are known; of a metric whose course is not, the one value that the job's description has. */
export function chooseCourses(courses: readonly ICourse[], metrics: readonly IMetric[]): ICourse[] {
  const known = new Set(courses.map(course => course.name));
  const last = metrics.filter(metric => !known.has(metric.name));
  const points = (metric: IMetric) => [{ x: metric.timeMs ?? 0, y: metric.value }];
  return [...last.map(metric => ({ name: metric.name, host: '', points: points(metric) })), ...courses];
}
