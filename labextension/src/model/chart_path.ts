/**
 * Where the points of a line chart lie. Pure.
 */

export interface IPoint {
  x: number;
  y: number;
}

export interface IChart {
  path: string;
  lowest: number;
  highest: number;
  last: number;
}

/** Lays out points in a box of the given size, y growing downwards; null without points. */
export function layOutChart(points: readonly IPoint[], width: number, height: number): IChart | null {
  if (points.length === 0) {
    return null;
  }
  const [left, right] = span(points.map(point => point.x));
  const [lowest, highest] = span(points.map(point => point.y));
  const place = (value: number, from: number, to: number, size: number) =>
    to === from ? size / 2 : ((value - from) / (to - from)) * size;
  const steps = points.map((point, index) => {
    const x = place(point.x, left, right, width).toFixed(1);
    const y = (height - place(point.y, lowest, highest, height)).toFixed(1);
    return `${index === 0 ? 'M' : 'L'}${x} ${y}`;
  });
  return { path: steps.join(''), lowest, highest, last: points[points.length - 1].y };
}

/** The lowest and the highest of some values. */
export function span(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [
    Infinity,
    -Infinity
  ]);
}
