/** One property over time: what was measured, what is believed and how surely, what is expected to come. */
import { useMemo, useRef } from "react";
import type { Columns, Content, Forecast } from "../api/api.ts";
import { type Band, Strip, type Trace } from "../charts/Strip.tsx";
import { doubts, edge, type Line, line, table } from "../charts/table.ts";
import { digitsFor, type Shown, unitText } from "../state/plant.ts";

const none: Columns = { t: [], v: [], std: null };

export interface PropertyStripProps {
  readonly property: Shown;
  readonly content: Content | undefined;
  readonly measured: Columns | undefined;
  readonly estimated: Columns | undefined;
  /** Lowest, middle and highest of what is expected; empty where nothing is. */
  readonly expected: readonly (Forecast | undefined)[];
  readonly window: readonly [number, number] | null;
  readonly alarms: readonly (readonly [number, number])[];
}

/**
 * Lowest and highest of all values, widened by their own distance: beyond it a band tells nothing, and a bad reading
 * is shown at the edge, so that it does not make the others a flat line.
 */
function reach(columns: readonly Columns[]): readonly [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { v, quality } of columns)
    v.forEach((value, row) => {
      if (value === null || quality?.[row] === "bad") return;
      if (value < low) low = value;
      if (value > high) high = value;
    });
  if (low > high) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const wide = high - low || Math.abs(high) * 0.1 || 1;
  return [low - wide, high + wide];
}

const within = ([t, v]: Line, [low, high]: readonly [number, number]): Line => [
  t,
  v.map((value) => (value === null ? null : Math.max(low, Math.min(high, value)))),
];

export function PropertyStrip(props: PropertyStripProps) {
  const { property, content, window, alarms } = props;
  const measured = props.measured ?? none;
  const estimated = props.estimated ?? none;
  const [low, middle, high] = props.expected;
  const hasBelief = property.estimated !== null;
  const hasForecast = middle !== undefined && middle.t.length > 0;
  // The axis need not begin at zero: it follows the data from wherever they were first.
  const anchor = useRef<number | null>(null);
  anchor.current ??= measured.v.find((value) => value !== null) ?? estimated.v.find((value) => value !== null) ?? null;
  const digits = digitsFor(anchor.current ?? 0);
  const traces = useMemo<readonly Trace[]>(
    () => [
      ...(hasBelief
        ? [
            { label: "+2σ", color: "estimated", edge: true },
            { label: "−2σ", color: "estimated", edge: true },
            { label: "estimated ± 2σ", color: "estimated", digits },
          ]
        : []),
      ...(property.measured === null
        ? []
        : [{ label: "measured", color: "ink", width: hasBelief ? 1.1 : 1.5, digits }]),
      ...(hasForecast
        ? [
            { label: "P95", color: "predicted", edge: true },
            { label: "P05", color: "predicted", edge: true },
            { label: "forecast", color: "predicted", dash: [5, 3], digits },
          ]
        : []),
    ],
    [hasBelief, hasForecast, property.measured, digits],
  );
  const bands = useMemo<readonly Band[]>(() => {
    const at = traces.findIndex(({ label }) => label === "P95");
    return [
      ...(hasBelief ? [{ between: [0, 1] as const, color: "estimated", opacity: 0.22 }] : []),
      ...(at >= 0 ? [{ between: [at, at + 1] as const, color: "predicted", opacity: 0.24 }] : []),
    ];
  }, [traces, hasBelief]);
  const data = useMemo(() => {
    const limits = reach([measured, estimated]);
    const lines: Line[] = [];
    if (hasBelief) lines.push(within(edge(estimated, 2), limits), within(edge(estimated, -2), limits), line(estimated));
    if (property.measured !== null) lines.push(within(line(measured), limits));
    if (hasForecast && middle) lines.push(...[high, low, middle].map((part) => line(part ?? middle)));
    return table(lines);
  }, [measured, estimated, low, middle, high, hasBelief, hasForecast, property.measured]);
  const doubted = useMemo(() => doubts(measured), [measured]);
  return (
    <Strip
      title={content?.label ?? property.name}
      unit={unitText(content?.unit ?? null)}
      traces={traces}
      bands={bands}
      data={data}
      window={window}
      alarms={alarms}
      doubts={doubted}
      range={[anchor.current ?? 0, anchor.current ?? 0]}
    />
  );
}
