/** From columns of their own times to the one table that a chart draws. */
import uPlot from "uplot";
import type { Columns, Quality } from "../api/api.ts";

export type Line = readonly [readonly number[], readonly (number | null)[]];

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
};

/** Puts a hole where nothing was recorded for longer than usual, so that no line is drawn across it. */
export function withGaps([t, v]: Line): Line {
  if (t.length < 4) return [t, v];
  const steps = t.slice(1).map((at, i) => at - t[i]!);
  const long = Math.max(4.5 * median(steps), 30 * 60_000);
  if (!steps.some((step) => step > long)) return [t, v];
  const times: number[] = [];
  const values: (number | null)[] = [];
  t.forEach((at, i) => {
    if (i > 0 && steps[i - 1]! > long) {
      times.push(at - 1);
      values.push(null);
    }
    times.push(at);
    values.push(v[i] ?? null);
  });
  return [times, values];
}

/** A reading that is not good, where it stands in a chart. */
export interface Doubt {
  readonly t: number;
  readonly v: number;
  readonly quality: Quality;
  readonly why: string;
}

/** The readings of these columns that are not good. */
export function doubts(...columns: readonly (Columns | undefined)[]): Doubt[] {
  const found: Doubt[] = [];
  for (const some of columns) {
    some?.quality?.forEach((quality, row) => {
      const v = some.v[row];
      if (quality !== "good" && typeof v === "number")
        found.push({ t: some.t[row]!, v, quality, why: some.why?.[row] ?? "" });
    });
  }
  return found;
}

export const line = ({ t, v }: Pick<Columns, "t" | "v">): Line => withGaps([t, v]);

/** The value `sigmas` standard deviations away from each estimate. */
export const edge = ({ t, v, std }: Columns, sigmas: number): Line =>
  withGaps([t, v.map((value, i) => (value === null ? null : value + sigmas * (std?.[i] ?? 0)))]);

/** All lines over the union of their times; a line has no value (but no hole either) where only others have one. */
export function table(lines: readonly Line[]): uPlot.AlignedData {
  if (lines.every(([t]) => t.length === 0)) return [[], ...lines.map(() => [])];
  return uPlot.join(lines.map(([t, v]) => [t, v] as unknown as uPlot.AlignedData));
}

/** Running sums of several series on the union of their times, each holding its last value: the edges of a stack. */
export function stack(columns: readonly Columns[]): Line[] {
  const times = [...new Set(columns.flatMap(({ t }) => t))].sort((a, b) => a - b);
  const total: number[] = new Array<number>(times.length).fill(0);
  return columns.map(({ t, v }) => {
    let row = -1;
    for (let i = 0; i < times.length; i += 1) {
      while (row + 1 < t.length && t[row + 1]! <= times[i]!) row += 1;
      const stale = row < 0 || times[i]! - t[row]! > 3 * 3_600_000;
      total[i]! += stale ? 0 : Math.max(0, v[row] ?? 0);
    }
    return [times, [...total]] as Line;
  });
}
