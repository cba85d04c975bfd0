/** Light of the hour: what the sun's height makes of sky, ground and shadows. */
import { Color, Vector3 } from "three";
import { sunPosition } from "../geo/sun.ts";

export interface Light {
  /** Unit vector towards the light that casts shadows: the sun, or at night a moon opposite to it. */
  readonly towards: Vector3;
  readonly sun: Vector3;
  readonly sunColor: Color;
  readonly sunStrength: number;
  readonly skyTop: Color;
  readonly skyLow: Color;
  readonly ground: Color;
  readonly ambient: number;
  /** 0 by day, 1 at night. */
  readonly night: number;
}

// Sun elevation in degrees, then: zenith, horizon, sunlight, sun strength, ambient.
const hours: readonly (readonly [number, string, string, string, number, number])[] = [
  [-18, "#0a1226", "#1c2c46", "#b9c9e6", 1.2, 1.1],
  [-8, "#101f3f", "#31466a", "#b9c9e6", 1.2, 1.1],
  [-3, "#27406b", "#b07d80", "#d3a59c", 1.1, 1.25],
  [1, "#4f79ad", "#f0b98f", "#ffb880", 1.7, 1.35],
  [7, "#5f98d0", "#efdcc3", "#ffdfb5", 2.8, 1.4],
  [18, "#5a9cd8", "#d9e7ec", "#fff1dc", 3.3, 1.5],
  [45, "#4a90d4", "#d3e6f0", "#fff8ec", 3.6, 1.6],
];

const mix = (a: string, b: string, part: number): Color => new Color(a).lerp(new Color(b), part);

/** From a place in the sky (degrees) to a direction in the scene: x east, y up, z south. */
export function direction(elevation: number, azimuth: number): Vector3 {
  const e = (elevation * Math.PI) / 180;
  const a = (azimuth * Math.PI) / 180;
  return new Vector3(Math.cos(e) * Math.sin(a), Math.sin(e), -Math.cos(e) * Math.cos(a));
}

export function lightAt(at_ms: number, latitude: number, longitude: number): Light {
  const { elevation, azimuth } = sunPosition(at_ms, latitude, longitude);
  const e = Math.max(hours[0]![0], Math.min(hours[hours.length - 1]![0], elevation));
  const upper = Math.max(
    1,
    hours.findIndex(([height]) => height >= e),
  );
  const low = hours[upper - 1]!;
  const high = hours[upper]!;
  const part = (e - low[0]) / (high[0] - low[0]);
  const night = Math.max(0, Math.min(1, (2 - elevation) / 8));
  const sun = direction(elevation, azimuth);
  // Below 4 degrees shadows would be kilometres long; the moon of this page stands opposite the sun, at 40 degrees.
  const towards = elevation > -2 ? direction(Math.max(4, elevation), azimuth) : direction(40, azimuth + 180);
  return {
    towards,
    sun,
    sunColor: mix(low[3], high[3], part),
    sunStrength: low[4] + (high[4] - low[4]) * part,
    skyTop: mix(low[1], high[1], part),
    skyLow: mix(low[2], high[2], part),
    ground: mix("#1d2a36", "#a3ab84", 1 - night),
    ambient: low[5] + (high[5] - low[5]) * part,
    night,
  };
}
