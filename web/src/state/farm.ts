/** What follows from the twins and the samples: who is a turbine, how it fares, what the farm makes. */
import type { Alarm, Twin } from "../api/api.ts";
import type { Samples, State } from "./store.ts";

export interface Turbine {
  readonly id: string;
  readonly name: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly ratedPower: number;
  readonly hubHeight: number;
  readonly rotorDiameter: number;
  readonly elevation: number | null;
  readonly maker: string;
}

export type Condition = "producing" | "idle" | "stopped" | "alarm" | "silent";

export const conditionText: Readonly<Record<Condition, string>> = {
  producing: "Producing",
  idle: "Idle",
  stopped: "Stopped",
  alarm: "Standing still",
  silent: "No data",
};

const amount = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);

const known = new WeakMap<readonly Twin[], readonly Turbine[]>();

/** The twins that are wind turbines, in the order of their ids. */
export function turbines(twins: readonly Twin[]): readonly Turbine[] {
  const before = known.get(twins);
  if (before) return before;
  const made = twins
    .filter((twin) => /:WindTurbine;/.test(twin.$metadata.$model))
    .map((twin) => ({
      id: twin.$dtId,
      name: String(twin.name ?? twin.$dtId),
      latitude: amount(twin.latitude, 0),
      longitude: amount(twin.longitude, 0),
      ratedPower: amount(twin.ratedPower, 2000),
      hubHeight: amount(twin.hubHeight, 80),
      rotorDiameter: amount(twin.rotorDiameter, 80),
      elevation: typeof twin.elevation === "number" ? twin.elevation : null,
      maker: typeof twin.manufacturer === "string" ? twin.manufacturer : "",
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  known.set(twins, made);
  return made;
}

export const farmOf = (twins: readonly Twin[]): Twin | undefined =>
  twins.find((twin) => /:WindFarm;/.test(twin.$metadata.$model));

export const replayOf = (twins: readonly Twin[]): Twin | undefined =>
  twins.find((twin) => /:Replay;/.test(twin.$metadata.$model));

/** Whether the alarm stood at `at_ms`. */
export const standsAt = (alarm: Alarm, at_ms: number): boolean =>
  alarm.since_ms <= at_ms && (alarm.until_ms === null || at_ms < alarm.until_ms);

/** Alarms as they stood at the shown moment: in live the open ones, back in time those open then. */
export function activeAlarms(state: State): readonly Alarm[] {
  const { moment } = state;
  if (moment === null) return state.alarms.filter((alarm) => alarm.until_ms === null);
  return state.alarms.filter((alarm) => standsAt(alarm, moment));
}

const SILENT_AFTER = 45 * 60_000;

/** How turbine `id` fares, from its samples around `at_ms` and whether an alarm stands. */
export function condition(id: string, samples: Samples, at_ms: number | null, alarmed: boolean): Condition {
  if (alarmed) return "alarm";
  const power = samples[`${id}.power`];
  if (!power || at_ms === null || at_ms - power.t > SILENT_AFTER) return "silent";
  if (power.v > 5) return "producing";
  const pitch = samples[`${id}.pitch`];
  const wind = samples[`${id}.windSpeed`];
  if (pitch && Math.abs(pitch.v) > 40 && wind && wind.v > 4) return "stopped";
  return "idle";
}

export const conditionOf = (id: string, state: State): Condition =>
  condition(
    id,
    state.moment === null ? state.last : state.past,
    state.moment ?? state.liveTime,
    activeAlarms(state).some((alarm) => alarm.twin === id),
  );

/** Sum over the turbines of `property`, or null while nobody has said anything. */
export function sum(property: string, ids: readonly string[], samples: Samples): number | null {
  let total = 0;
  let some = false;
  for (const id of ids) {
    const sample = samples[`${id}.${property}`];
    if (!sample) continue;
    total += sample.v;
    some = true;
  }
  return some ? total : null;
}

/** The wind that the farm feels: mean speed (m/s) and mean direction it comes from (degrees from north). */
export function farmWind(ids: readonly string[], samples: Samples): { speed: number; from: number } | null {
  let speed = 0;
  let east = 0;
  let north = 0;
  let n = 0;
  for (const id of ids) {
    const v = samples[`${id}.windSpeed`];
    const d = samples[`${id}.windDirection`];
    if (!v || !d) continue;
    speed += v.v;
    east += Math.sin((d.v * Math.PI) / 180);
    north += Math.cos((d.v * Math.PI) / 180);
    n += 1;
  }
  if (n === 0) return null;
  return { speed: speed / n, from: ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360 };
}

/** Properties of a turbine that the page shows and the scene moves by. */
export const shownProperties = [
  "power",
  "windSpeed",
  "pitch",
  "vane",
  "nacelle",
  "windDirection",
  "temperature",
  "rotorWindSpeed@estimated",
  "performance@estimated",
  "yawMisalignment@estimated",
  "airDensity@estimated",
  "expectedPower@estimated",
  "expectedPowerP05@estimated",
  "expectedPowerP95@estimated",
  "rotorSpeed@estimated",
  "lostEnergy@estimated",
  "producedEnergy@estimated",
] as const;
