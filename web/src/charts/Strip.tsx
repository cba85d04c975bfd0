/** One strip chart: lines and bands over the shared window, with a shared cursor; drag zooms, double click follows again. */
import { type CSSProperties, type ReactNode, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { shownTime, useStore } from "../state/store.ts";
import { number } from "../text/format.ts";
import { ink } from "./ink.ts";
import { marks, touch } from "./plugins.ts";
import type { Doubt } from "./table.ts";
import { splits, steps, values } from "./ticks.ts";
import { follow, zoomTo } from "./window.ts";

export interface Trace {
  readonly label: string;
  /** Name of a CSS variable without `--`. */
  readonly color: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  /** Part of a band's edge: drawn by the band alone and left out of the legend. */
  readonly edge?: boolean;
  readonly digits?: number;
}

export interface Band {
  /** Indices of the upper and the lower trace. */
  readonly between: readonly [number, number];
  readonly color: string;
  readonly opacity: number;
}

export interface StripProps {
  readonly title: string;
  readonly unit: string;
  readonly traces: readonly Trace[];
  readonly bands?: readonly Band[];
  readonly data: uPlot.AlignedData;
  readonly window: readonly [number, number] | null;
  readonly height?: number;
  /** Least range of the value axis. */
  readonly range?: readonly [number, number];
  /** The value axis reaches no further than this, whatever the bands say. */
  readonly limit?: readonly [number, number];
  readonly alarms?: readonly (readonly [number, number])[];
  /** Readings that are not good. */
  readonly doubts?: readonly Doubt[];
  readonly note?: ReactNode;
}

const sync = uPlot.sync("time");

export function Strip(props: StripProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const theme = useStore((state) => state.theme);
  const [row, setRow] = useState<number | null>(null);
  const shape = JSON.stringify([props.traces, props.bands, props.height, props.range, props.limit]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` and the theme stand for what the plot is built from.
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const { traces, bands = [], height = 104, range = [0, 0], limit } = latest.current;
    const axis = { stroke: ink("muted"), font: `11px ${ink("sans")}`, ticks: { show: false } };
    const made = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height,
        ms: 1,
        padding: [8, 14, 0, 0],
        legend: { show: false },
        cursor: {
          drag: { x: true, y: false, setScale: false },
          sync: { key: sync.key, setSeries: false },
          points: { size: 5 },
          bind: {
            dblclick: () => () => {
              follow();
              return null;
            },
          },
        },
        scales: {
          x: { time: true, range: () => [...(latest.current.window ?? [0, 1])] as [number, number] },
          y: {
            range: (_, low, high) => {
              let min = Math.min(low ?? range[0], range[0]);
              let max = Math.max(high ?? range[1], range[1]);
              if (limit) {
                min = Math.max(min, limit[0]);
                max = Math.min(max, limit[1]);
              }
              if (min >= max) max = min + 1;
              const room = (max - min) * 0.06;
              return [min === 0 ? 0 : min - room, max + room];
            },
          },
        },
        axes: [
          {
            ...axis,
            size: 22,
            gap: 4,
            space: 62,
            incrs: steps,
            splits,
            values,
            grid: { stroke: ink("grid"), width: 1 },
          },
          {
            ...axis,
            size: 40,
            gap: 5,
            space: 26,
            values: (_, at) => at.map((v) => number(v, v % 1 ? (Math.abs(v) < 1 ? 2 : 1) : 0)),
            grid: { stroke: ink("grid"), width: 1 },
          },
        ],
        series: [
          {},
          ...traces.map((trace) => ({
            label: trace.label,
            stroke: trace.edge ? "transparent" : ink(trace.color),
            width: trace.edge ? 0 : (trace.width ?? 1.5),
            ...(trace.dash ? { dash: [...trace.dash] } : {}),
            points: { show: false },
          })),
        ],
        bands: bands.map(({ between, color, opacity }) => ({
          series: [between[0] + 1, between[1] + 1] as [number, number],
          fill: ink(color, opacity),
        })),
        plugins: [
          marks(() => ({
            now: shownTime(useStore.getState()),
            alarms: latest.current.alarms ?? [],
            doubts: latest.current.doubts ?? [],
          })),
          touch(),
        ],
        hooks: {
          setSelect: [
            (self) => {
              const { left, width } = self.select;
              if (width > 6) zoomTo(self.posToVal(left, "x"), self.posToVal(left + width, "x"));
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
          setCursor: [
            (self) =>
              setRow(self.cursor.left !== undefined && self.cursor.left >= 0 ? (self.cursor.idx ?? null) : null),
          ],
        },
      },
      latest.current.data,
      element,
    );
    plot.current = made;
    sync.sub(made);
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(120, element.clientWidth), height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      sync.unsub(made);
      made.destroy();
      plot.current = null;
    };
  }, [shape, theme]);

  const { data, window: shownWindow } = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new window alone redraws, too.
  useEffect(() => {
    plot.current?.setData(data, true);
  }, [data, shownWindow]);

  const doubted = (props.doubts ?? []).filter(({ t }) => !shownWindow || (t >= shownWindow[0] && t <= shownWindow[1]));
  const under = row === null ? undefined : doubted.find(({ t }) => t === data[0][row]);
  return (
    <figure className="strip">
      <figcaption>
        <b>{props.title}</b>
        <small>{props.unit}</small>
        <span className="legend">
          {props.traces.map((trace, i) => {
            if (trace.edge) return null;
            const value = row === null ? undefined : nearest(data[0], data[i + 1], row);
            return (
              <span
                key={trace.label}
                className={trace.dash ? "key is-dashed" : "key"}
                style={{ "--key": `var(--${trace.color})` } as CSSProperties}
              >
                {trace.label}
                {row !== null && <b>{number(value, trace.digits ?? 0)}</b>}
              </span>
            );
          })}
        </span>
        {doubted.length > 0 && (
          <span className="doubts" title={[...new Set(doubted.map(({ why }) => why))].slice(-5).join("\n")}>
            {under ? `${under.quality}: ${under.why}` : told(doubted)}
          </span>
        )}
        {props.note}
      </figcaption>
      <div ref={holder} className="plot" />
    </figure>
  );
}

/** "2 bad, 1 suspect" */
function told(doubts: readonly Doubt[]): string {
  const bad = doubts.filter(({ quality }) => quality === "bad").length;
  const parts = [bad > 0 ? `${bad} bad` : "", doubts.length > bad ? `${doubts.length - bad} suspect` : ""];
  return parts.filter(Boolean).join(", ");
}

/** The trace's value at the cursor's row, or at its next row to the left within an hour. */
function nearest(
  x: ArrayLike<number>,
  y: ArrayLike<number | null | undefined> | undefined,
  row: number,
): number | null {
  for (let i = row; i >= 0 && x[row]! - x[i]! <= 3_600_000; i -= 1) {
    const value = y?.[i];
    if (value !== undefined) return value;
  }
  return null;
}
