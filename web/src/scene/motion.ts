/**
 * How the turbines move on the screen, apart from how they are drawn.
 *
 * Rotors turn at their estimated rpm of wall time, whatever the replay's pace: at ten minutes a second a true rotor
 * would be a blur that tells nothing, and the rpm is the thing to see. Yaw, pitch and rpm glide to their recorded
 * values, so a ten-minute step does not jerk.
 */
import { bladePitch, turn } from "../geo/layout.ts";
import { type Turbine, turbines } from "../state/farm.ts";
import { get, shown } from "../state/store.ts";

export interface Motion {
  /** Rotor's angle in radians, growing clockwise seen from the wind; never wrapped. */
  angle: number;
  rpm: number;
  /** Degrees from north that the nacelle points to. */
  yaw: number;
  /** Blade pitch in degrees: 0 works, 90 is feathered. */
  pitch: number;
}

/** How many frames were drawn since the page was opened. */
export const frames = { drawn: 0 };

const motions = new Map<string, Motion>();

export function motionOf(id: string): Motion {
  let motion = motions.get(id);
  if (!motion) {
    motion = { angle: motions.size * 0.7, rpm: 0, yaw: Number.NaN, pitch: Number.NaN };
    motions.set(id, motion);
  }
  return motion;
}

/** rpm of an MM82 from its power, where the estimate is not there yet: 8.5 at cut-in to 17.1 at rated. */
const rpmFromPower = (kw: number, rated: number): number =>
  kw <= 0 ? 0 : Math.min(17.1, 8.5 + 8.6 * Math.cbrt(kw / rated));

function target(turbine: Turbine): { rpm: number; yaw: number; pitch: number } {
  const samples = shown(get());
  const rpm = samples[`${turbine.id}.rotorSpeed@estimated`]?.v;
  const power = samples[`${turbine.id}.power`]?.v ?? 0;
  return {
    rpm: rpm ?? rpmFromPower(power, turbine.ratedPower),
    yaw: samples[`${turbine.id}.nacelle`]?.v ?? 0,
    pitch: bladePitch(samples[`${turbine.id}.pitch`]?.v ?? 0),
  };
}

/** Moves all turbines on by `dt_s` of wall time. */
export function advanceMotion(dt_s: number): void {
  frames.drawn += 1;
  const ease = 1 - Math.exp(-dt_s / 0.7);
  for (const turbine of turbines(get().twins)) {
    const motion = motionOf(turbine.id);
    const to = target(turbine);
    if (Number.isNaN(motion.yaw)) Object.assign(motion, to);
    motion.rpm += (to.rpm - motion.rpm) * ease;
    motion.yaw += turn(motion.yaw, to.yaw) * ease;
    motion.pitch += (to.pitch - motion.pitch) * ease;
    motion.angle += ((motion.rpm * 2 * Math.PI) / 60) * dt_s;
  }
}
