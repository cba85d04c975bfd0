/** Going back: the samples at a moment, from day-long pieces of history held in memory, and playing from there. */
import { type Columns, getHistory } from "../api/api.ts";
import { shownProperties, turbines } from "./farm.ts";
import { after } from "./recent.ts";
import { get, type Sample, type Samples, set } from "./store.ts";

const DAY = 86_400_000;
const KEEP_DAYS = 10;
/** Series that a look back asks for at once, of a space that is no farm. */
const MOST = 400;

type Piece = Readonly<Record<string, Columns>>;
interface Held {
  piece: Piece | null;
  /** How far time had come when it was asked for: a piece of the newest day ends there. */
  readonly until: number;
  readonly loading: Promise<void>;
}
const days = new Map<number, Held>();

function piece(day: number, at_ms: number): Held {
  const held = days.get(day);
  if (held && at_ms <= held.until) {
    days.delete(day); // most recently used goes last
    days.set(day, held);
    return held;
  }
  const { twins, last } = get();
  const fleet = turbines(twins);
  const names =
    fleet.length > 0
      ? fleet.flatMap((turbine) => shownProperties.map((name) => `${turbine.id}.${name}`))
      : Object.keys(last).slice(0, MOST);
  const made: Held = {
    piece: held?.piece ?? null,
    until: Math.max(at_ms, get().liveTime ?? 0),
    // Two hours more at the start, so that a slow series has a value right at midnight.
    loading: getHistory(names, day * DAY - DAY / 12, (day + 1) * DAY, 4000).then(
      (columns) => {
        made.piece = columns;
      },
      () => {
        days.delete(day);
      },
    ),
  };
  days.delete(day);
  days.set(day, made);
  for (const old of days.keys()) {
    if (days.size <= KEEP_DAYS) break;
    days.delete(old);
  }
  return made;
}

/** The newest sample of each series of `columns` not after `at_ms`. */
export function samplesAt(columns: Piece, at_ms: number): Samples {
  const samples: Record<string, Sample> = {};
  for (const [name, column] of Object.entries(columns)) {
    let row = after(column.t, at_ms) - 1;
    while (row >= 0 && column.v[row] === null) row -= 1;
    if (row >= 0) samples[name] = { t: column.t[row]!, v: column.v[row]!, std: column.std?.[row] ?? null };
  }
  return samples;
}

let wanted = 0;

/** Shows `at_ms` (clamped to what has happened); the samples follow as soon as its day is here. */
export function goTo(at_ms: number): void {
  const { liveTime } = get();
  if (liveTime === null) return;
  if (at_ms >= liveTime) {
    goLive();
    return;
  }
  const day = Math.floor(at_ms / DAY);
  const held = piece(day, at_ms);
  const { playing } = get();
  if (playing && at_ms - day * DAY > DAY / 2 && (day + 1) * DAY < liveTime) piece(day + 1, (day + 1) * DAY);
  wanted = at_ms;
  if (held.piece) {
    set({ moment: at_ms, past: samplesAt(held.piece, at_ms) });
    return;
  }
  set({ moment: at_ms });
  void held.loading.then(() => {
    const { moment } = get();
    if (moment !== null && wanted === at_ms && held.piece) set({ past: samplesAt(held.piece, moment) });
  });
}

export function goLive(): void {
  days.clear(); // the newest day was not over when it was read
  set({ moment: null, playing: false, past: {} });
}

let ticking = 0;

/** Starts or stops playing from the moment; from live it starts where the page is. */
export function play(playing: boolean): void {
  const { moment, liveTime } = get();
  if (liveTime === null) return;
  set({ playing, moment: moment ?? liveTime - 1 });
  cancelAnimationFrame(ticking);
  if (!playing) return;
  let before = performance.now();
  const tick = (now: number): void => {
    const state = get();
    if (!state.playing || state.moment === null) return;
    const step = Math.min(250, now - before) * state.rate;
    // Waiting for a day that is still on its way, not running past it.
    if (now - before > 60 && days.get(Math.floor(state.moment / DAY))?.piece !== null) {
      goTo(state.moment + step);
      before = now;
    } else if (now - before > 250) before = now;
    ticking = requestAnimationFrame(tick);
  };
  ticking = requestAnimationFrame(tick);
}
