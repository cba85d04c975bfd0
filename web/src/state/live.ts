/** From the feed into the store: frames are gathered and shown once per animation frame, however many came. */
import {
  type FeedFrame,
  getAlarms,
  getLast,
  getSpace,
  getTwin,
  getTwins,
  type SpaceInfo,
  type Twin,
} from "../api/api.ts";
import { follow } from "../api/feed.ts";
import { spanFor } from "../charts/window.ts";
import { isFarm } from "./plant.ts";
import { doubt, forget, remember } from "./recent.ts";
import { get, type Sample, set } from "./store.ts";
import { throttled } from "./throttle.ts";

let pending: Record<string, Sample> = {};
let pendingTime: number | null = null;
let pendingSize = 0;
let asked = 0;

function show(): void {
  asked = 0;
  const { last, liveTime } = get();
  set({
    last: { ...last, ...pending },
    liveTime: pendingTime === null ? liveTime : Math.max(liveTime ?? 0, pendingTime),
    size: pendingSize,
  });
  pending = {};
  pendingTime = null;
}

const refreshAlarms = throttled(1000, async () => set({ alarms: await getAlarms() }));
const refreshSpace = throttled(2500, async () => set({ space: await getSpace() }));

/** Reads twin `id` again and puts it into the store. */
export async function refreshTwin(id: string): Promise<Twin> {
  const twin = await getTwin(id);
  set({ twins: get().twins.map((other) => (other.$dtId === id ? twin : other)) });
  return twin;
}

async function refreshGraph(): Promise<void> {
  const { twins, relationships } = await getTwins();
  set({ twins, relationships });
}

function take(frame: FeedFrame): void {
  for (const block of frame.blocks) {
    for (let row = 0; row < block.t.length; row += 1) {
      const series = block.series[block.which[row]!]!;
      const t = block.t[row]!;
      const v = block.v[row] ?? null;
      const std = block.std?.[row] ?? null;
      remember(series, t, v, std);
      if (v === null) continue;
      const before = pending[series] ?? get().last[series];
      if (!before || t >= before.t) pending[series] = { t, v, std };
      if (block.kind === "measured" && (pendingTime === null || t > pendingTime)) pendingTime = t;
    }
  }
  for (const { items } of frame.marks) {
    for (const { series, t, quality, why } of items) doubt(series, t, quality, why.join("; "));
  }
  for (const entry of frame.entries) {
    const [, id] = /^twin:(.*)$/.exec(entry.subject) ?? [];
    if (entry.kind === "twin.patch" && id) void refreshTwin(id);
    else if (/^(twin|relationship|model)\./.test(entry.kind)) void refreshGraph();
    else if (entry.kind.startsWith("alarm.")) refreshAlarms();
  }
  pendingSize = frame.size;
  refreshSpace();
  asked ||= requestAnimationFrame(show);
  // A hidden tab gets no animation frames: keep the samples from piling up there.
  if (document.hidden && Object.keys(pending).length > 0) {
    cancelAnimationFrame(asked);
    show();
  }
}

/** Everything once, from the state APIs. Returns the log size that the samples are true at. */
async function load(): Promise<number> {
  forget();
  pending = {};
  const first = get().space === null;
  const [space, graph, alarms]: [
    SpaceInfo,
    Awaited<ReturnType<typeof getTwins>>,
    Awaited<ReturnType<typeof getAlarms>>,
  ] = await Promise.all([getSpace(), getTwins(), getAlarms()]);
  const { size, series } = await getLast();
  const last: Record<string, Sample> = {};
  let liveTime: number | null = null;
  for (const [name, [t, v, std]] of Object.entries(series)) {
    last[name] = { t, v, std };
    if (!name.includes("@") && (liveTime === null || t > liveTime)) liveTime = t;
  }
  // Twins and alarms were read a moment before `last`: what changed in between comes again, once, with a refresh.
  set({ space, twins: graph.twins, relationships: graph.relationships, alarms, last, liveTime, size, fault: null });
  if (first && !isFarm(graph.twins) && space.first_ms !== null && space.last_ms !== null)
    set({ span: spanFor(space.last_ms - space.first_ms) });
  if (graph.size < size) void refreshGraph();
  refreshAlarms();
  return size;
}

/** Starts following the node; retries until it answers for the first time. */
export function start(): () => void {
  let stop = (): void => {};
  let over = false;
  const first = async (tries: number): Promise<void> => {
    try {
      const size = await load();
      if (over) return;
      stop = follow(size, { frame: take, link: (link) => link !== get().link && set({ link }), reload: load });
    } catch (error) {
      set({ link: "offline", fault: error instanceof Error ? error.message : String(error) });
      if (!over) window.setTimeout(() => void first(tries + 1), Math.min(8000, 500 * 2 ** tries));
    }
  };
  void first(0);
  return () => {
    over = true;
    stop();
  };
}
