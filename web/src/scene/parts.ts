/** The rest of a turbine's body: tower, nacelle, hub. Metres; y is up; the rotor faces -z (north). */
import { type BufferGeometry, ExtrudeGeometry, LatheGeometry, Shape, Vector2 } from "three";

/** A steel tower up to `height`, tapering as they do: 4.3 m at the foot, 2.6 m at the top. */
export function towerGeometry(height: number): BufferGeometry {
  const profile = [
    [2.5, 0],
    [2.5, 0.6],
    [2.15, 0.7],
    [1.95, height * 0.35],
    [1.62, height * 0.7],
    [1.3, height - 1.2],
    [1.45, height - 1.1],
    [1.45, height - 0.6],
  ].map(([r, y]) => new Vector2(r, y));
  return new LatheGeometry(profile, 20);
}

/** The house on top: 11 m long with rounded edges, its origin on the yaw axis at hub height. */
export function nacelleGeometry(): BufferGeometry {
  const w = 1.85;
  const h = 1.95;
  const r = 0.7;
  const side = new Shape();
  side.moveTo(-w + r, -h);
  side.lineTo(w - r, -h);
  side.quadraticCurveTo(w, -h, w, -h + r);
  side.lineTo(w, h - r);
  side.quadraticCurveTo(w, h, w - r, h);
  side.lineTo(-w + r, h);
  side.quadraticCurveTo(-w, h, -w, h - r);
  side.lineTo(-w, -h + r);
  side.quadraticCurveTo(-w, -h, -w + r, -h);
  const body = new ExtrudeGeometry(side, {
    depth: 9.6,
    bevelSize: 0.35,
    bevelThickness: 0.5,
    bevelSegments: 2,
    curveSegments: 4,
  });
  body.translate(0, 0.25, -2.6);
  return body;
}

/** The spinner: a blunt nose towards -z, its origin at the rotor's centre. */
export function hubGeometry(): BufferGeometry {
  const profile = [
    [0, 2.6],
    [0.7, 2.35],
    [1.3, 1.7],
    [1.65, 0.7],
    [1.75, -0.5],
    [1.6, -1.5],
    [0, -1.5],
  ].map(([r, y]) => new Vector2(r, y));
  const nose = new LatheGeometry(profile.reverse(), 18);
  nose.rotateX(-Math.PI / 2);
  return nose;
}
