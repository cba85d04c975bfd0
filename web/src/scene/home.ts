/** The view that the scene opens with: the whole farm, as large and as little behind one another as may be. */

export interface Spot {
  readonly id: string;
  /** Metres: x east, z south. */
  readonly x: number;
  readonly z: number;
  readonly hub: number;
  readonly radius: number;
}

export interface View {
  readonly eye: readonly [number, number, number];
  readonly target: readonly [number, number, number];
}

const wrap = (angle: number): number => Math.atan2(Math.sin(angle), Math.cos(angle));

/**
 * Tries eyes on rings around the farm, 3 degrees apart, and takes the best.
 *
 * All turbines must be within `across` radians, the field of view's width less its margins. Among those a view is good
 * if turbines are large (mean of the log of their apparent size) and stand apart (log of the least angle between two).
 * The south is preferred: from there the sun lights what one sees.
 */
export function homeView(spots: readonly Spot[], across: number): View {
  if (spots.length === 0) return { eye: [0, 150, 900], target: [0, 60, 0] };
  const reach = Math.max(220, ...spots.map((spot) => Math.hypot(spot.x, spot.z)));
  let best: { score: number; x: number; z: number; middle: number; far: number } | null = null;
  for (let ring = 1.25; ring < 6; ring *= 1.06) {
    for (let step = 0; step < 120; step += 1) {
      const around = (step / 120) * 2 * Math.PI;
      const x = Math.sin(around) * reach * ring;
      const z = Math.cos(around) * reach * ring;
      const outwards = Math.atan2(-x, -z);
      const seen = spots
        .map((spot) => ({
          angle: wrap(Math.atan2(spot.x - x, spot.z - z) - outwards),
          far: Math.hypot(spot.x - x, spot.z - z),
          wide: spot.radius,
        }))
        .sort((a, b) => a.angle - b.angle);
      const first = seen[0]!;
      const last = seen[seen.length - 1]!;
      const nearest = Math.min(...seen.map((one) => one.far));
      const margin = first.wide / first.far + last.wide / last.far;
      if (last.angle - first.angle + margin > across || nearest < 360) continue;
      const size = seen.reduce((total, one) => total + Math.log(1 / one.far), 0) / seen.length;
      const gap = Math.min(0.2, ...seen.slice(1).map((one, i) => one.angle - seen[i]!.angle));
      const score = size + 0.9 * Math.log(Math.max(0.005, gap)) + 0.9 * Math.cos(around);
      if (best === null || score > best.score) {
        const middle = outwards + (first.angle + last.angle) / 2;
        best = { score, x, z, middle, far: nearest };
      }
    }
    if (best && ring > 2.6) break;
  }
  if (!best) return { eye: [0, reach, reach * 4], target: [0, 60, 0] };
  const look = best.far * 1.5;
  const hub = spots[0]!.hub;
  return {
    eye: [best.x, hub * 1.15 + best.far * 0.12, best.z],
    target: [best.x + Math.sin(best.middle) * look, hub * 0.62, best.z + Math.cos(best.middle) * look],
  };
}
