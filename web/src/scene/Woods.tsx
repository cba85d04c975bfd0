/** Clumps of trees between the fields: scenery, and a measure of size. */
import { useLayoutEffect, useRef } from "react";
import { Color, type InstancedMesh, Matrix4, Quaternion, Vector3 } from "three";
import { relief } from "./Ground.tsx";

/** Mulberry32: the same trees on every visit. */
function dice(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function Woods({ count, clear }: { count: number; clear: readonly Vector3[] }) {
  const mesh = useRef<InstancedMesh>(null);
  useLayoutEffect(() => {
    const trees = mesh.current;
    if (!trees) return;
    const roll = dice(11);
    const matrix = new Matrix4();
    const color = new Color();
    let placed = 0;
    while (placed < count) {
      const angle = roll() * 2 * Math.PI;
      const out = 330 + 2300 * roll() ** 0.8;
      const cx = Math.cos(angle) * out;
      const cz = Math.sin(angle) * out;
      const wide = 30 + 130 * roll();
      const long = 0.25 + 0.75 * roll();
      const lean = roll() * Math.PI;
      for (let n = Math.floor(10 + 34 * roll()); n > 0 && placed < count; n -= 1) {
        const r = Math.sqrt(roll()) * wide;
        const a = roll() * 2 * Math.PI;
        const u = Math.cos(a) * r;
        const w = Math.sin(a) * r * long;
        const x = cx + u * Math.cos(lean) - w * Math.sin(lean);
        const z = cz + u * Math.sin(lean) + w * Math.cos(lean);
        if (clear.some((spot) => Math.hypot(spot.x - x, spot.z - z) < 110)) continue;
        const tall = 9 + 8 * roll();
        const round = tall * (0.38 + 0.2 * roll());
        matrix.compose(
          new Vector3(x, relief(x, z) + tall * 0.42, z),
          new Quaternion().setFromAxisAngle(new Vector3(0, 1, 0), roll() * 6),
          new Vector3(round, tall * 0.55, round),
        );
        trees.setMatrixAt(placed, matrix);
        trees.setColorAt(placed, color.setHSL(0.24 + 0.05 * roll(), 0.2 + 0.12 * roll(), 0.15 + 0.08 * roll()));
        placed += 1;
      }
    }
    trees.instanceMatrix.needsUpdate = true;
    if (trees.instanceColor) trees.instanceColor.needsUpdate = true;
  }, [count, clear]);
  return (
    <instancedMesh key={count} ref={mesh} args={[undefined, undefined, count]} castShadow frustumCulled={false}>
      <icosahedronGeometry args={[1, 1]} />
      <meshLambertMaterial flatShading />
    </instancedMesh>
  );
}
