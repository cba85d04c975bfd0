/** The shape of one series over the charts' window, small. */
import type { Columns } from "../api/api.ts";

const WIDTH = 100;
const HEIGHT = 26;

export function Sparkline({
  columns,
  window,
}: {
  columns: Columns | undefined;
  window: readonly [number, number] | null;
}) {
  const path = columns && window ? trace(columns, window) : "";
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

function trace({ t, v }: Columns, [from, to]: readonly [number, number]): string {
  const values = v.filter((value, i): value is number => value !== null && t[i]! >= from && t[i]! <= to);
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (values.length < 2 || !Number.isFinite(low)) return "";
  const tall = high - low || 1;
  let pen = "M";
  const parts: string[] = [];
  for (let i = 0; i < t.length; i += 1) {
    const value = v[i];
    if (value === null || value === undefined || t[i]! < from || t[i]! > to) {
      pen = "M";
      continue;
    }
    const x = ((t[i]! - from) / (to - from)) * WIDTH;
    const y = HEIGHT - 2 - ((value - low) / tall) * (HEIGHT - 4);
    parts.push(`${pen}${x.toFixed(1)} ${y.toFixed(1)}`);
    pen = "L";
  }
  return parts.join("");
}
