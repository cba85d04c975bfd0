/** Samples that came over the feed since the page was opened: what charts show beyond their last query. */
import type { Columns, Quality } from "../api/api.ts";

interface Growing {
  t: number[];
  v: (number | null)[];
  std: (number | null)[] | null;
  quality: Quality[];
  why: (string | null)[];
}

const KEEP = 4096;
const held = new Map<string, Growing>();

export function remember(series: string, t: number, v: number | null, std: number | null): void {
  let columns = held.get(series);
  if (!columns) {
    columns = { t: [], v: [], std: std === null ? null : [], quality: [], why: [] };
    held.set(series, columns);
  }
  const end = columns.t.length;
  const newest = columns.t[end - 1];
  if (newest !== undefined && t <= newest) return; // late or repeated: the next query has it in its place
  columns.t.push(t);
  columns.v.push(v);
  columns.quality.push("good");
  columns.why.push(null);
  if (std !== null || columns.std) {
    columns.std ??= new Array<number | null>(end).fill(null);
    columns.std.push(std);
  }
  if (end > 2 * KEEP) {
    columns.t.splice(0, KEEP);
    columns.v.splice(0, KEEP);
    columns.std?.splice(0, KEEP);
    columns.quality.splice(0, KEEP);
    columns.why.splice(0, KEEP);
  }
}

/** A check says of the reading at `t` that it is not good. */
export function doubt(series: string, t: number, quality: Quality, why: string): void {
  const columns = held.get(series);
  if (!columns) return;
  const row = after(columns.t, t) - 1;
  if (columns.t[row] !== t) return;
  columns.quality[row] = quality;
  columns.why[row] = why;
}

export const forget = (): void => held.clear();

/** Index of the first element of ascending `t` that is greater than `at`. */
export function after(t: readonly number[], at: number): number {
  let low = 0;
  let high = t.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `queried` continued with what the feed brought since. */
export function continued(series: string, queried: Columns | undefined): Columns {
  const tail = held.get(series);
  if (!queried) return { t: [], v: [], std: null };
  const end = queried.t[queried.t.length - 1];
  if (!tail || end === undefined) return queried;
  const from = after(tail.t, end);
  // A tail that no longer reaches back to the query's end would leave a hole: keep to what was asked for.
  if (from >= tail.t.length || (from === 0 && tail.t.length > KEEP)) return queried;
  return {
    t: queried.t.concat(tail.t.slice(from)),
    v: queried.v.concat(tail.v.slice(from)),
    std: queried.std && tail.std ? queried.std.concat(tail.std.slice(from)) : queried.std,
    ...(queried.quality && queried.why
      ? { quality: queried.quality.concat(tail.quality.slice(from)), why: queried.why.concat(tail.why.slice(from)) }
      : {}),
  };
}

/** The tail alone, from `from` on. */
export function tail(series: string, from: number): Columns {
  const columns = held.get(series);
  if (!columns) return { t: [], v: [], std: null };
  const start = after(columns.t, from - 1);
  return { t: columns.t.slice(start), v: columns.v.slice(start), std: columns.std?.slice(start) ?? null };
}
