/** What the air is like right now, computed once a frame and read by every part of the scene. */
import { centre, type Place, turn } from "../geo/layout.ts";
import { farmOf, farmWind, turbines } from "../state/farm.ts";
import { get, shown, shownTime } from "../state/store.ts";
import { type Light, lightAt } from "./light.ts";

interface Atmosphere {
  light: Light;
  /** Wind speed in m/s and the direction it comes from, eased. */
  speed: number;
  from: number;
  /** Data time as lit: glides to the shown time. */
  time: number | null;
  /** Wall time in seconds, for pulses. */
  wall: number;
}

export const air: Atmosphere = {
  light: lightAt(Date.UTC(2015, 5, 21, 10), 48, 5),
  speed: 0,
  from: 240,
  time: null,
  wall: 0,
};

const SNAP = 12 * 3_600_000;

export function farmPlace(): Place {
  const { twins } = get();
  const farm = farmOf(twins);
  if (typeof farm?.latitude === "number" && typeof farm.longitude === "number") {
    return { latitude: farm.latitude, longitude: farm.longitude };
  }
  return centre(turbines(twins));
}

export function advanceAir(dt_s: number): void {
  const state = get();
  const time = shownTime(state);
  const ease = 1 - Math.exp(-dt_s / 0.4);
  if (time !== null) {
    air.time = air.time === null || Math.abs(time - air.time) > SNAP ? time : air.time + (time - air.time) * ease;
    const place = farmPlace();
    air.light = lightAt(air.time, place.latitude, place.longitude);
  }
  const wind = farmWind(
    turbines(state.twins).map((turbine) => turbine.id),
    shown(state),
  );
  if (wind) {
    air.speed += (wind.speed - air.speed) * ease;
    air.from += turn(air.from, wind.from) * ease;
  }
  air.wall += dt_s;
}
