/** The stretch of time that all charts show together. */
import { type State, set } from "../state/store.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Span = readonly [string, number];

/** What a wind farm is looked at over. */
export const spans: readonly Span[] = [
  ["6 h", 6 * HOUR],
  ["24 h", 24 * HOUR],
  ["3 d", 72 * HOUR],
  ["14 d", 14 * 24 * HOUR],
];

/** What anything is looked at over: a press moves in seconds, a kiln in days. */
export const allSpans: readonly Span[] = [["1 min", MINUTE], ["10 min", 10 * MINUTE], ["1 h", HOUR], ...spans];

/** The shortest of them that shows all of so long a record, or a day. */
export const spanFor = (length: number): number => allSpans.find(([, ms]) => ms >= length)?.[1] ?? 24 * HOUR;

/** From and to, in ms: what was zoomed to, else the span up to the shown moment and a little beyond it. */
export function windowOf(
  state: Pick<State, "zoom" | "moment" | "liveTime" | "span">,
): readonly [number, number] | null {
  if (state.zoom) return state.zoom;
  const now = state.moment ?? state.liveTime;
  if (now === null) return null;
  // Live, the forecast reaches six hours beyond now; back in time it is what came next.
  const ahead = Math.min(6 * HOUR, Math.max(state.span * 0.25, state.span < 6 * HOUR ? 0 : 3 * HOUR));
  return [now - state.span, now + ahead];
}

/** What to ask the node for, so that a window that creeps on needs no new question for a while. */
export function questionFor(window: readonly [number, number]): readonly [number, number] {
  const step = 2 ** Math.round(Math.log2((window[1] - window[0]) / 8));
  return [Math.floor(window[0] / step - 1) * step, Math.ceil(window[1] / step + 1) * step];
}

export const zoomTo = (from: number, to: number): void => {
  if (to - from >= 1000) set({ zoom: [from, to] });
};

export const follow = (span?: number): void => set(span ? { zoom: null, span } : { zoom: null });
