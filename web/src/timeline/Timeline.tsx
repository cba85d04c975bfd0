/** All of recorded time along the bottom: drag to go back, play from there, `Live` to return. */
import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type Columns, getHistory } from "../api/api.ts";
import { ink } from "../charts/ink.ts";
import { useBeat } from "../charts/query.ts";
import { turbines } from "../state/farm.ts";
import { goLive, goTo, play } from "../state/past.ts";
import { shownIn } from "../state/plant.ts";
import { continued } from "../state/recent.ts";
import { get, shownTime, useStore } from "../state/store.ts";
import { clock, day } from "../text/format.ts";
import { PlayControls } from "./PlayControls.tsx";
import { columnsOf, paint } from "./paint.ts";

const HOUR = 3_600_000;

function useWhole(series: readonly string[], width: number): Readonly<Record<string, Columns>> {
  const [whole, setWhole] = useState<Readonly<Record<string, Columns>>>({});
  const names = series.join(" ");
  const live = useStore((state) => state.liveTime !== null);
  // Asked again after each 500 samples' worth of new time, so that the feed's tail stays short.
  const era = useStore((state) => Math.floor((state.liveTime ?? 0) / (72 * HOUR)));
  // biome-ignore lint/correctness/useExhaustiveDependencies: era asks again.
  useEffect(() => {
    if (!live || names === "" || width === 0) return;
    const stop = new AbortController();
    getHistory(names.split(" "), 0, (get().liveTime ?? 0) + 1, Math.min(4000, width * 2), stop.signal).then(
      setWhole,
      () => undefined,
    );
    return () => stop.abort();
  }, [names, width > 0, live, era]);
  return whole;
}

/** Counted from its lowest value, for what is no power and need not begin at zero. */
function fromLowest(columns: Columns): Columns {
  const lowest = columns.v.reduce<number>((low, v) => (v !== null && v < low ? v : low), Number.POSITIVE_INFINITY);
  return { ...columns, v: columns.v.map((v) => (v === null ? null : v - lowest)) };
}

export function Timeline() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const track = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const twins = useStore((state) => state.twins);
  const alarms = useStore((state) => state.alarms);
  const theme = useStore((state) => state.theme);
  const back = useStore((state) => state.moment !== null);
  const ids = useMemo(() => turbines(twins).map((turbine) => turbine.id), [twins]);
  // Of a farm its power; of anything else the first thing that is known of who is chosen, or of the first of all.
  const first = useStore((state) => {
    if (ids.length > 0) return null;
    const known = shownIn(state.last);
    const property = (known.get(state.selected ?? "") ?? known.values().next().value)?.[0];
    return property?.measured ?? property?.estimated ?? null;
  });
  const series = useMemo(() => (first === null ? ids.map((id) => `${id}.power`) : [first]), [ids, first]);
  const whole = useWhole(series, width);
  const beat = useBeat(300);
  const [hover, setHover] = useState<number | null>(null);

  const from = Math.min(...Object.values(whole).map((columns) => columns.t[0] ?? Number.POSITIVE_INFINITY));
  const to = get().liveTime ?? 0;
  const known = Number.isFinite(from) && to > from;

  useEffect(() => {
    const element = track.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setWidth(element.clientWidth));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: beat and theme stand for data and colours that go on.
  useEffect(() => {
    const sheet = canvas.current;
    const pen = sheet?.getContext("2d");
    if (!sheet || !pen || !known || width === 0) return;
    const height = sheet.clientHeight;
    const ratio = Math.min(2, window.devicePixelRatio);
    sheet.width = width * ratio;
    sheet.height = height * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint(pen, {
      width,
      height,
      from,
      to,
      power: columnsOf(
        Object.entries(whole).map(([name, columns]) => {
          const told = continued(name, columns);
          return first === null ? told : fromLowest(told);
        }),
        from,
        to,
        width,
      ),
      lanes: (first === null ? ids : [null]).map((id) => ({
        spans: alarms
          .filter((alarm) => id === null || alarm.twin === id)
          .map((alarm) => [alarm.since_ms, alarm.until_ms ?? to] as const),
      })),
      inks: {
        area: ink("ink", 0.13),
        line: ink("ink", 0.6),
        alarm: ink("alarm"),
        lane: ink("grid"),
        text: ink("muted"),
        font: `11px ${ink("sans")}`,
      },
    });
  }, [whole, width, alarms, ids, first, theme, beat, known, from, to]);

  const place = useCallback(() => {
    const state = get();
    const now = shownTime(state);
    if (!head.current || now === null || !known) return;
    const end = state.liveTime ?? to;
    head.current.style.left = `${Math.max(0, Math.min(1, (now - from) / (end - from))) * 100}%`;
  }, [from, to, known]);
  useEffect(() => {
    place();
    return useStore.subscribe(place);
  }, [place]);

  const at = (event: PointerEvent): number => {
    const box = track.current!.getBoundingClientRect();
    return from + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (to - from);
  };
  const drag = (event: PointerEvent): void => {
    if (!known) return;
    setHover(at(event));
    if (event.buttons !== 1 || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = track.current!.getBoundingClientRect();
    if (event.clientX >= box.right - 3) goLive();
    else goTo(at(event));
  };
  const grab = (event: PointerEvent): void => {
    event.currentTarget.setPointerCapture(event.pointerId);
    if (get().playing) play(false);
    drag(event);
  };
  const key = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -HOUR / 6, ArrowRight: HOUR / 6, PageDown: -24 * HOUR, PageUp: 24 * HOUR }[event.key];
    const now = shownTime(get());
    if (now === null) return;
    if (step) goTo(now + step * (event.shiftKey ? 6 : 1));
    else if (event.key === "Home") goTo(from);
    else if (event.key === "End") goLive();
    else return;
    event.preventDefault();
  };
  const now = shownTime(get());

  return (
    <footer className="timeline" data-testid="timeline">
      <PlayControls />
      <div
        className="track"
        ref={track}
        role="slider"
        tabIndex={0}
        aria-label="Moment shown"
        aria-valuemin={known ? from : 0}
        aria-valuemax={to}
        aria-valuenow={now ?? 0}
        aria-valuetext={now === null ? "" : `${day(now)} ${clock(now)}${back ? "" : ", live"}`}
        onPointerDown={grab}
        onPointerMove={drag}
        onPointerLeave={() => setHover(null)}
        onKeyDown={key}
      >
        <canvas ref={canvas} />
        {known && hover !== null && (
          <div className="hover-time" style={{ left: `${((hover - from) / (to - from)) * 100}%` }}>
            {day(hover)} {clock(hover)}
          </div>
        )}
        <div className={back ? "playhead is-back" : "playhead"} ref={head} />
      </div>
    </footer>
  );
}
