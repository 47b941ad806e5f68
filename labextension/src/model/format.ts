/**
 * Durations, sizes, money and states in words. Pure.
 */
import { IJobRow } from '../tokens';

/** `0.3 s`, `42 s`, `3 min 20 s`, `2 h 05 min`, `3 d 04 h`. */
export function formatDuration(seconds: number): string {
  if (!(seconds >= 0)) {
    return '';
  }
  if (seconds < 10) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  const pad = (value: number) => `${value}`.padStart(2, '0');
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  }
  if (whole < 86400) {
    return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
  }
  return `${Math.floor(whole / 86400)} d ${pad(Math.floor((whole % 86400) / 3600))} h`;
}

/** `812 B`, `1.5 KiB`, `20.3 GiB`. */
export function formatBytes(count: number): string {
  if (count < 1024) {
    return `${Math.round(count)} B`;
  }
  for (const unit of ['KiB', 'MiB', 'GiB']) {
    count /= 1024;
    if (count < 1024) {
      return `${count.toFixed(1)} ${unit}`;
    }
  }
  return `${(count / 1024).toFixed(1)} TiB`;
}

/** `$1.34`, and `$0.0021` where two digits would say nothing. */
export function formatUsd(amount: number): string {
  const digits = amount !== 0 && amount < 0.095 ? 4 : 2;
  return `$${amount.toFixed(digits)}`;
}

/** A number as a person reads it, without the noise of its last digits. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) {
    return value.toLocaleString('en');
  }
  const size = Math.abs(value);
  return size >= 1e6 || (size < 1e-3 && size > 0) ? value.toExponential(3) : `${Number(value.toPrecision(5))}`;
}

/** `14:03:07`, with the date before it where that is another day than today. */
export function formatMoment(ms: number, nowMs: number): string {
  const moment = new Date(ms);
  const time = moment.toLocaleTimeString('en-GB');
  return moment.toDateString() === new Date(nowMs).toDateString() ? time : `${moment.toLocaleDateString('sv-SE')} ${time}`;
}

export const TERMINAL: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Stopped']);

export function isRunning(row: IJobRow): boolean {
  return !TERMINAL.has(row.status);
}

/** How long a job has taken, or takes up to now, in seconds. */
export function elapsedS(row: IJobRow, nowMs: number): number {
  const end = row.endedMs ?? (isRunning(row) ? nowMs : row.createdMs);
  return Math.max(0, (end - row.createdMs) / 1000);
}

/** What a job costs at list prices on demand, up to now; null where the price or the billed time is not known. */
export function costUsd(row: IJobRow, nowMs: number): number | null {
  if (row.priceUsdPerHour === null) {
    return null;
  }
  const billed = row.billableS ?? (row.startedMs === null ? 0 : ((row.endedMs ?? nowMs) - row.startedMs) / 1000);
  return (row.priceUsdPerHour * Math.max(0, billed)) / 3600;
}
