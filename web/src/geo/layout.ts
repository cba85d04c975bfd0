/** From latitude and longitude to metres on the farm's own ground plane. */

export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** Metres east and north of the layout's centre. */
export interface Local {
  readonly east: number;
  readonly north: number;
}

const A = 6378137; // WGS 84 semi-major axis, m
const E2 = 6.69437999014e-3; // first eccentricity squared

/** The middle of the places' bounding box. */
export function centre(places: readonly Place[]): Place {
  const lat = places.map((place) => place.latitude);
  const lon = places.map((place) => place.longitude);
  return {
    latitude: (Math.min(...lat) + Math.max(...lat)) / 2,
    longitude: (Math.min(...lon) + Math.max(...lon)) / 2,
  };
}

/**
 * `place` on the tangent plane at `origin`, by the ellipsoid's two radii of curvature.
 *
 * Better than 1 m over 20 km at middle latitudes; not for farms across the date line.
 */
export function toLocal(place: Place, origin: Place): Local {
  const phi = (origin.latitude * Math.PI) / 180;
  const w = Math.sqrt(1 - E2 * Math.sin(phi) ** 2);
  const meridian = (A * (1 - E2)) / w ** 3;
  const parallel = (A / w) * Math.cos(phi);
  const rad = Math.PI / 180;
  return {
    east: (place.longitude - origin.longitude) * rad * parallel,
    north: (place.latitude - origin.latitude) * rad * meridian,
  };
}

/** The smallest turn from one heading to another, in degrees, in [-180, 180). */
export function turn(from: number, to: number): number {
  return ((((to - from + 180) % 360) + 360) % 360) - 180;
}

/** A pitch angle as recorded (it may have wrapped past 180) as one a blade can have, in degrees. */
export function bladePitch(recorded: number): number {
  return Math.max(-5, Math.min(95, turn(0, recorded)));
}
