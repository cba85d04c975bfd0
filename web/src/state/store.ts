/** All that the page knows, in one store. Components read slices of it; the scene reads it once a frame. */
import { create } from "zustand";
import type { Alarm, Content, Relationship, SpaceInfo, Twin } from "../api/api.ts";
import type { Link } from "../api/feed.ts";

export interface Sample {
  readonly t: number;
  readonly v: number;
  readonly std: number | null;
}

/** The newest (or, back in time, the then newest) sample of each series, by series name. */
export type Samples = Readonly<Record<string, Sample>>;

export type Theme = "light" | "dark";

export interface State {
  readonly link: Link;
  readonly fault: string | null;
  readonly space: SpaceInfo | null;
  readonly size: number;
  readonly twins: readonly Twin[];
  readonly relationships: readonly Relationship[];
  readonly alarms: readonly Alarm[];
  /** What the types say of their properties, by type, as far as it has been asked for. */
  readonly contents: Readonly<Record<string, Readonly<Record<string, Content>>>>;

  /** Live: the newest sample of each series, and the newest data time. */
  readonly last: Samples;
  readonly liveTime: number | null;

  /** Back in time: the moment looked at; null while live. */
  readonly moment: number | null;
  readonly playing: boolean;
  /** Data milliseconds per wall millisecond while playing from a moment. */
  readonly rate: number;
  /** The samples at `moment`, from history. */
  readonly past: Samples;

  readonly selected: string | null;
  /** Width of the charts' window, and the part of time zoomed to, if any. */
  readonly span: number;
  readonly zoom: readonly [number, number] | null;
  readonly theme: Theme;
}

const HOUR = 3_600_000;

export const useStore = create<State>(() => ({
  link: "connecting",
  fault: null,
  space: null,
  size: 0,
  twins: [],
  relationships: [],
  alarms: [],
  contents: {},
  last: {},
  liveTime: null,
  moment: null,
  playing: false,
  rate: 600,
  past: {},
  selected: null,
  span: 24 * HOUR,
  zoom: null,
  theme: "light",
}));

export const get = useStore.getState;
export const set = useStore.setState;

/** The instant that the page shows: the moment gone back to, else the newest data time. */
export const shownTime = (state: State): number | null => state.moment ?? state.liveTime;

/** The samples that the page shows. */
export const shown = (state: State): Samples => (state.moment === null ? state.last : state.past);
