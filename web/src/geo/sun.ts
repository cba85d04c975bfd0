/** Where the sun stands, by the low-precision formulas of the Astronomical Almanac (0.01 degree, 1950-2050). */

export interface SunPosition {
  /** Degrees above the horizon, without refraction. */
  readonly elevation: number;
  /** Degrees clockwise from north. */
  readonly azimuth: number;
}

const rad = Math.PI / 180;

/** The sun's place in the sky at `at_ms` (milliseconds since 1970 UTC). Michalsky 1988, Solar Energy 40(3). */
export function sunPosition(at_ms: number, latitude: number, longitude: number): SunPosition {
  const n = at_ms / 86_400_000 - 10957.5; // days since J2000.0 (2000-01-01 12:00)
  const meanLongitude = 280.46 + 0.9856474 * n;
  const anomaly = (357.528 + 0.9856003 * n) * rad;
  const ecliptic = (meanLongitude + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * rad;
  const obliquity = (23.439 - 0.0000004 * n) * rad;
  const rightAscension = Math.atan2(Math.cos(obliquity) * Math.sin(ecliptic), Math.cos(ecliptic));
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(ecliptic));
  const siderealHours = 6.697375 + 0.0657098242 * n + ((((at_ms / 3_600_000) % 24) + 24) % 24);
  const hourAngle = siderealHours * 15 * rad + longitude * rad - rightAscension;
  const phi = latitude * rad;
  const up = Math.sin(phi) * Math.sin(declination) + Math.cos(phi) * Math.cos(declination) * Math.cos(hourAngle);
  const east = -Math.cos(declination) * Math.sin(hourAngle);
  const north = Math.cos(phi) * Math.sin(declination) - Math.sin(phi) * Math.cos(declination) * Math.cos(hourAngle);
  return {
    elevation: Math.asin(Math.max(-1, Math.min(1, up))) / rad,
    azimuth: (Math.atan2(east, north) / rad + 360) % 360,
  };
}
