/** The shape of a rotor blade: aerofoil sections, thick and twisted at the root, thin and flat at the tip. */
import { BufferGeometry, Float32BufferAttribute } from "three";

/** Half thickness of a NACA 4-digit aerofoil of thickness 1 at chord position x in [0, 1]. */
function halfThickness(x: number): number {
  return 5 * (0.2969 * Math.sqrt(x) - 0.126 * x - 0.3516 * x ** 2 + 0.2843 * x ** 3 - 0.1036 * x ** 4);
}

interface Section {
  /** Part of the span, 0 at the root. */
  readonly at: number;
  /** Chord, part of the span. */
  readonly chord: number;
  /** Thickness, part of the chord. */
  readonly thick: number;
  /** Degrees the section is turned against the tip's. */
  readonly twist: number;
}

// Proportions of a 40 m blade of the early 2000s: round root, widest at a fifth of the span.
const sections: readonly Section[] = [
  { at: 0, chord: 0.046, thick: 1, twist: 13 },
  { at: 0.05, chord: 0.048, thick: 0.95, twist: 13 },
  { at: 0.12, chord: 0.068, thick: 0.55, twist: 12.5 },
  { at: 0.2, chord: 0.082, thick: 0.36, twist: 10.5 },
  { at: 0.32, chord: 0.072, thick: 0.27, twist: 7 },
  { at: 0.48, chord: 0.055, thick: 0.22, twist: 4 },
  { at: 0.65, chord: 0.041, thick: 0.18, twist: 1.8 },
  { at: 0.82, chord: 0.03, thick: 0.16, twist: 0.6 },
  { at: 0.94, chord: 0.02, thick: 0.15, twist: 0 },
  { at: 0.985, chord: 0.012, thick: 0.15, twist: -0.3 },
  { at: 1, chord: 0.003, thick: 0.15, twist: -0.5 },
];

const AROUND = 14;

/**
 * A blade of `span` metres along +y, leading edge towards -x, at pitch 0 (its chord in the rotor's plane).
 *
 * The span's end is bent a little against the wind (-z), as blades are so that they clear the tower.
 */
export function bladeGeometry(span: number): BufferGeometry {
  const positions: number[] = [];
  const faces: number[] = [];
  for (const { at, chord, thick, twist } of sections) {
    const c = chord * span;
    const turn = (-twist * Math.PI) / 180;
    const bend = -0.025 * span * at ** 2;
    for (let step = 0; step < AROUND; step += 1) {
      const angle = (step / AROUND) * 2 * Math.PI;
      const along = (1 - Math.cos(angle)) / 2; // 0 at the leading edge
      const side = angle < Math.PI ? 1 : -1;
      const round = Math.sqrt(Math.max(0, 0.25 - (along - 0.5) ** 2));
      const foil = halfThickness(along) * thick;
      const blend = Math.min(1, Math.max(0, (thick - 0.4) / 0.6)); // a cylinder at the root
      const half = c * (blend * round + (1 - blend) * foil);
      const x = (along - 0.3) * c;
      const z = side * half;
      positions.push(
        x * Math.cos(turn) + z * Math.sin(turn),
        at * span,
        z * Math.cos(turn) - x * Math.sin(turn) + bend,
      );
    }
  }
  for (let row = 0; row + 1 < sections.length; row += 1) {
    for (let step = 0; step < AROUND; step += 1) {
      const a = row * AROUND + step;
      const b = row * AROUND + ((step + 1) % AROUND);
      faces.push(a, a + AROUND, b, b, a + AROUND, b + AROUND);
    }
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new Float32BufferAttribute(positions, 3));
  geometry.setIndex(faces);
  geometry.computeVertexNormals();
  return geometry;
}
