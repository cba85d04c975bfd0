/** Labels of a time axis in UTC: clock times, with the date where a day begins. */
import type uPlot from "uplot";
import { clock, dayMonth } from "../text/format.ts";

const MIN = 60_000;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;

/** Steps that people count time in, as uPlot's `incrs`. */
export const steps = [
  MIN,
  5 * MIN,
  10 * MIN,
  30 * MIN,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  3 * DAY,
  7 * DAY,
  14 * DAY,
  30 * DAY,
  90 * DAY,
];

/** Instants on the step's own grid (UTC) between two ends. */
export function instants(from: number, to: number, step: number): number[] {
  const made: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) made.push(at);
  return made;
}

export const splits = (_: uPlot, __: number, from: number, to: number, step: number): number[] =>
  instants(from, to, step);

export const values = (_: uPlot, at: readonly number[]): string[] =>
  at.map((t) => (t % DAY === 0 ? dayMonth(t) : clock(t)));
