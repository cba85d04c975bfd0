/** The timeline's picture: the farm's power through all of time, with each turbine's alarms as a lane above it. */
import type { Columns } from "../api/api.ts";
import { instants, steps } from "../charts/ticks.ts";
import { dayMonth } from "../text/format.ts";

export interface Lane {
  readonly spans: readonly (readonly [number, number])[];
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly from: number;
  readonly to: number;
  /** Farm power per pixel column, in kW; NaN where nothing was recorded. */
  readonly power: Float64Array;
  readonly lanes: readonly Lane[];
  readonly inks: {
    readonly area: string;
    readonly line: string;
    readonly alarm: string;
    readonly lane: string;
    readonly text: string;
    readonly font: string;
  };
}

export const LANE = 5;
const AXIS = 16;

/** Sums several series per pixel column: the mean of what fell into a column, else what was known before it. */
export function columnsOf(series: readonly Columns[], from: number, to: number, width: number): Float64Array {
  const total = new Float64Array(width).fill(Number.NaN);
  const scale = width / Math.max(1, to - from);
  const hold = 2 * Math.max(20 * 60_000, 1 / scale);
  for (const { t, v } of series) {
    const sums = new Float64Array(width);
    const counts = new Uint32Array(width);
    for (let i = 0; i < t.length; i += 1) {
      const x = Math.floor((t[i]! - from) * scale);
      const value = v[i];
      if (x < 0 || x >= width || value === null || value === undefined) continue;
      sums[x]! += value;
      counts[x]! += 1;
    }
    let known = Number.NaN;
    let since = 0;
    for (let x = 0; x < width; x += 1) {
      if (counts[x]! > 0) {
        known = sums[x]! / counts[x]!;
        since = x;
      }
      if (Number.isNaN(known) || (x - since) / scale > hold) continue;
      total[x] = (Number.isNaN(total[x]!) ? 0 : total[x]!) + Math.max(0, known);
    }
  }
  return total;
}

export function paint(pen: CanvasRenderingContext2D, picture: Picture): void {
  const { width, height, from, to, power, lanes, inks } = picture;
  const x = (at: number): number => ((at - from) / (to - from)) * width;
  pen.clearRect(0, 0, width, height);

  const step = steps.find((ms) => (ms / (to - from)) * width >= 74 && ms >= 86_400_000) ?? 90 * 86_400_000;
  pen.font = inks.font;
  pen.textBaseline = "alphabetic";
  for (const at of instants(from, to, step)) {
    const left = Math.round(x(at)) + 0.5;
    pen.strokeStyle = inks.lane;
    pen.beginPath();
    pen.moveTo(left, 0);
    pen.lineTo(left, height - AXIS + 4);
    pen.stroke();
    pen.fillStyle = inks.text;
    if (left < width - 34) pen.fillText(dayMonth(at), left + 3, height - 3);
  }

  lanes.forEach((lane, row) => {
    const top = 2 + row * LANE;
    pen.fillStyle = inks.lane;
    pen.fillRect(0, top + 1, width, 1);
    pen.fillStyle = inks.alarm;
    for (const [since, until] of lane.spans) {
      const left = x(Math.max(from, since));
      pen.fillRect(left, top, Math.max(2, x(Math.min(to, until)) - left), LANE - 2);
    }
  });

  const top = 2 + lanes.length * LANE + 3;
  const floor = height - AXIS;
  let most = 1;
  for (const value of power) if (value > most) most = value;
  const y = (kw: number): number => floor - (kw / most) * (floor - top);
  pen.beginPath();
  let open = false;
  for (let i = 0; i <= power.length; i += 1) {
    const value = power[i];
    if (value === undefined || Number.isNaN(value)) {
      if (open) pen.lineTo(i - 1, floor);
      open = false;
    } else {
      if (!open) pen.moveTo(i, floor);
      pen.lineTo(i, y(value));
      open = true;
    }
  }
  pen.fillStyle = inks.area;
  pen.fill();
  pen.beginPath();
  open = false;
  power.forEach((value, i) => {
    if (Number.isNaN(value)) open = false;
    else {
      if (open) pen.lineTo(i, y(value));
      else pen.moveTo(i, y(value));
      open = true;
    }
  });
  pen.strokeStyle = inks.line;
  pen.lineWidth = 1;
  pen.stroke();
}
