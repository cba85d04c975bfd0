/** History and forecast for a set of series over the charts' window, kept up with the feed. */
import { useEffect, useMemo, useRef, useState } from "react";
import { type Columns, type Forecast, getForecast, getHistory } from "../api/api.ts";
import { continued } from "../state/recent.ts";
import { useStore } from "../state/store.ts";
import { questionFor, windowOf } from "./window.ts";

export type Histories = Readonly<Record<string, Columns>>;

/** A number that changes at most every `every_ms` while data time goes on. */
export function useBeat(every_ms: number): number {
  const [beat, setBeat] = useState(0);
  useEffect(() => {
    let timer = 0;
    let seen = 0;
    const stop = useStore.subscribe((state, before) => {
      if (state.liveTime === before.liveTime && state.moment === before.moment) return;
      timer ||= window.setTimeout(
        () => {
          timer = 0;
          seen = performance.now();
          setBeat((n) => n + 1);
        },
        Math.max(0, seen + every_ms - performance.now()),
      );
    });
    return () => {
      stop();
      window.clearTimeout(timer);
    };
  }, [every_ms]);
  return beat;
}

/** The window as of the last beat. */
export function useWindow(beat: number): readonly [number, number] | null {
  const zoom = useStore((state) => state.zoom);
  const span = useStore((state) => state.span);
  const back = useStore((state) => state.moment !== null);
  const known = useStore((state) => state.liveTime !== null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: beat stands for the time that goes on.
  return useMemo(() => windowOf(useStore.getState()), [beat, zoom, span, back, known]);
}

/**
 * The columns of `series` around `window`, at about two points per pixel of `width`; more comes in with each beat.
 *
 * While a new answer is on its way the old one stays.
 */
export function useHistories(
  series: readonly string[],
  window: readonly [number, number] | null,
  width: number,
  beat: number,
): Histories {
  const [answer, setAnswer] = useState<Histories>({});
  const names = series.join(" ");
  const question = window ? questionFor(window) : null;
  const from = question?.[0] ?? null;
  // A question that reaches beyond what has happened is answered by the feed; do not ask again just for its end.
  const live = useStore((state) => state.liveTime !== null && question !== null && question[1] >= state.liveTime);
  const to = live ? null : (question?.[1] ?? null);
  const points = Math.max(200, Math.ceil((width * 2) / 100) * 100);
  useEffect(() => {
    if (from === null || names === "") return;
    const stop = new AbortController();
    const end = to ?? (useStore.getState().liveTime ?? from) + 1;
    const timer = globalThis.setTimeout(() => {
      getHistory(names.split(" "), from, end, points, stop.signal).then(setAnswer, () => undefined);
    }, 40);
    return () => {
      globalThis.clearTimeout(timer);
      stop.abort();
    };
  }, [names, from, to, points]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: beat stands for what the feed brought.
  return useMemo(() => {
    const made: Record<string, Columns> = {};
    for (const name of names.split(" "))
      made[name] = to === null ? continued(name, answer[name]) : (answer[name] ?? none);
    return made;
  }, [answer, names, to, beat]);
}

const none: Columns = { t: [], v: [], std: null };

/** The newest forecasts, asked for again as data time goes on; none back in time (only the newest are kept). */
export function useForecasts(series: readonly string[], beat: number): Readonly<Record<string, Forecast>> {
  const [answer, setAnswer] = useState<Readonly<Record<string, Forecast>>>({});
  const back = useStore((state) => state.moment !== null);
  const names = series.join(" ");
  const asking = useRef({ names: "", at: Number.NEGATIVE_INFINITY });
  // biome-ignore lint/correctness/useExhaustiveDependencies: beat asks again.
  useEffect(() => {
    if (back || names === "") {
      asking.current.at = Number.NEGATIVE_INFINITY;
      return;
    }
    const now = performance.now();
    if (asking.current.names === names && now - asking.current.at < 1500) return;
    asking.current = { names, at: now };
    getForecast(names.split(" ")).then(
      (said) => {
        if (asking.current.names === names) setAnswer(said);
      },
      () => undefined,
    );
  }, [names, back, beat]);
  return back ? nothing : answer;
}

const nothing: Readonly<Record<string, Forecast>> = {};
