/** The farm in three dimensions, at its true layout. */
import { Canvas } from "@react-three/fiber";
import { useCallback, useMemo, useState } from "react";
import { NeutralToneMapping, PCFShadowMap, Vector3 } from "three";
import { centre, toLocal } from "../geo/layout.ts";
import { turbines } from "../state/farm.ts";
import { useStore } from "../state/store.ts";
import { Driver } from "./Driver.tsx";
import { Ground } from "./Ground.tsx";
import type { Spot } from "./home.ts";
import { Instruments } from "./Instruments.tsx";
import { Label, LabelMover, type LabelRefs } from "./Labels.tsx";
import { Machine } from "./Machine.tsx";
import { budgets, firstQuality, type Quality } from "./quality.ts";
import { Rig } from "./Rig.tsx";
import { Sky } from "./Sky.tsx";
import { Wind } from "./Wind.tsx";
import { Woods } from "./Woods.tsx";

export default function Scene() {
  const twins = useStore((state) => state.twins);
  const [quality, setQuality] = useState<Quality>(firstQuality);
  const budget = budgets[quality];
  const labels = useMemo<LabelRefs>(() => new Map(), []);
  const fleet = turbines(twins);
  const where = fleet.map(({ id, latitude, longitude, hubHeight, rotorDiameter }) =>
    [id, latitude, longitude, hubHeight, rotorDiameter].join(),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: twins change with every edit; the layout seldom does.
  const spots = useMemo<readonly Spot[]>(() => {
    if (fleet.length === 0) return [];
    const origin = centre(fleet);
    return fleet.map((turbine) => {
      const { east, north } = toLocal(turbine, origin);
      return { id: turbine.id, x: east, z: -north, hub: turbine.hubHeight, radius: turbine.rotorDiameter / 2 };
    });
  }, [where.join(" ")]);
  const clear = useMemo(() => spots.map(({ x, z }) => new Vector3(x, 0, z)), [spots]);
  const lower = useCallback((next: Quality) => setQuality(next), []);

  return (
    <div className="scene" data-testid="scene" data-quality={quality} data-plain={budget.plain || undefined}>
      <Canvas
        frameloop="never"
        shadows={{ type: PCFShadowMap, enabled: budget.shadows }}
        dpr={Math.min(window.devicePixelRatio, budget.pixelRatio)}
        camera={{ fov: 32, near: 3, far: 15000 }}
        gl={{ antialias: !budget.plain, toneMapping: NeutralToneMapping, powerPreference: "high-performance" }}
        aria-label="The wind farm in three dimensions. Drag to orbit, scroll to come nearer, double click or press h for the whole farm."
        role="img"
      >
        <Driver quality={quality} onQuality={lower} />
        <Rig spots={spots} />
        <Sky shadows={budget.shadows} shadowSize={budget.shadowSize} />
        <Ground plain={budget.plain} />
        {spots.length > 0 && <Woods count={budget.trees} clear={clear} />}
        {spots.map((spot, i) => {
          const turbine = fleet[i];
          return turbine && <Machine key={spot.id} turbine={turbine} x={spot.x} z={spot.z} plain={budget.plain} />;
        })}
        <Wind count={budget.streaks} />
        <LabelMover spots={spots} labels={labels} />
      </Canvas>
      <div className="labels">
        {fleet.map((turbine) => (
          <Label key={turbine.id} turbine={turbine} labels={labels} />
        ))}
      </div>
      <Instruments />
    </div>
  );
}
