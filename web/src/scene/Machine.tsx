/** One turbine: tower, nacelle at its recorded yaw, rotor at its rpm, blades at their recorded pitch. */
import { type ThreeEvent, useFrame } from "@react-three/fiber";
import { useMemo, useRef } from "react";
import {
  AdditiveBlending,
  CanvasTexture,
  type Group,
  type Mesh,
  MeshLambertMaterial,
  MeshStandardMaterial,
  type Sprite,
  SpriteMaterial,
} from "three";
import { select } from "../state/choose.ts";
import { conditionOf, type Turbine } from "../state/farm.ts";
import { get } from "../state/store.ts";
import { air } from "./atmosphere.ts";
import { bladeGeometry } from "./blade.ts";
import { Dial } from "./Dial.tsx";
import { motionOf } from "./motion.ts";
import { hubGeometry, nacelleGeometry, towerGeometry } from "./parts.ts";
import { stillness } from "./quality.ts";

const OVERHANG = 5.2; // metres from the yaw axis to the rotor's plane
const HUB_RADIUS = 1.6;

function glowTexture(): CanvasTexture {
  const canvas = document.createElement("canvas");
  canvas.width = 64;
  canvas.height = 64;
  const pen = canvas.getContext("2d");
  if (pen) {
    const fade = pen.createRadialGradient(32, 32, 0, 32, 32, 32);
    fade.addColorStop(0, "rgba(255,255,255,1)");
    fade.addColorStop(0.25, "rgba(255,255,255,0.35)");
    fade.addColorStop(1, "rgba(255,255,255,0)");
    pen.fillStyle = fade;
    pen.fillRect(0, 0, 64, 64);
  }
  return new CanvasTexture(canvas);
}

interface Props {
  readonly turbine: Turbine;
  readonly x: number;
  readonly z: number;
  readonly plain: boolean;
}

export function Machine({ turbine, x, z, plain }: Props) {
  const head = useRef<Group>(null);
  const rotor = useRef<Group>(null);
  const blades = useRef<(Mesh | null)[]>([]);
  const beacon = useRef<Sprite>(null);
  const radius = turbine.rotorDiameter / 2;
  const shapes = useMemo(
    () => ({
      tower: towerGeometry(turbine.hubHeight),
      nacelle: nacelleGeometry(),
      hub: hubGeometry(),
      blade: bladeGeometry(radius - HUB_RADIUS + 0.4),
    }),
    [turbine.hubHeight, radius],
  );
  const paint = useMemo(
    () =>
      plain
        ? new MeshLambertMaterial({ color: "#eceff0" })
        : new MeshStandardMaterial({ color: "#eceff0", roughness: 0.42, metalness: 0.02 }),
    [plain],
  );
  const glow = useMemo(
    () =>
      new SpriteMaterial({
        map: glowTexture(),
        color: "#ff3b22",
        blending: AdditiveBlending,
        depthWrite: false,
        transparent: true,
        fog: false,
      }),
    [],
  );

  useFrame(() => {
    const motion = motionOf(turbine.id);
    const alarmed = conditionOf(turbine.id, get()) === "alarm";
    if (head.current) head.current.rotation.y = (-(motion.yaw || 0) * Math.PI) / 180;
    if (rotor.current) rotor.current.rotation.z = motion.angle;
    for (const blade of blades.current) if (blade) blade.rotation.y = (-(motion.pitch || 0) * Math.PI) / 180;
    const beat = stillness.matches ? 0.6 : 0.5 + 0.5 * Math.sin(air.wall * 4);
    paint.emissive.set(alarmed ? "#ff3a1a" : "#000000");
    paint.emissiveIntensity = alarmed ? 0.05 + 0.12 * beat : 0;
    // The red obstacle light that such turbines carry at night; in alarm it is there by day, too, and larger.
    const night = stillness.matches || air.wall % 2 < 1.1 ? air.light.night : 0.12 * air.light.night;
    glow.opacity = alarmed ? 0.4 + 0.4 * beat : night;
    const size = alarmed ? 30 + 10 * beat : 13;
    beacon.current?.scale.setScalar(size);
  });

  const choose = (event: ThreeEvent<MouseEvent>): void => {
    if (event.delta > 6) return; // an orbit, not a click
    event.stopPropagation();
    select(turbine.id);
  };
  const point = (cursor: string) => (event: ThreeEvent<PointerEvent>) => {
    (event.nativeEvent.target as HTMLElement).style.cursor = cursor;
  };

  return (
    <group position={[x, 0, z]}>
      <Dial turbine={turbine} />
      <mesh geometry={shapes.tower} material={paint} castShadow receiveShadow />
      <group ref={head} position-y={turbine.hubHeight}>
        <mesh geometry={shapes.nacelle} material={paint} castShadow receiveShadow />
        <sprite ref={beacon} material={glow} position={[0, 3.6, 3]} renderOrder={6} />
        <group ref={rotor} position={[0, 0.25, -OVERHANG]}>
          <mesh geometry={shapes.hub} material={paint} castShadow />
          {[0, 1, 2].map((n) => (
            <group key={n} rotation-z={(n * 2 * Math.PI) / 3}>
              <mesh
                ref={(mesh) => {
                  blades.current[n] = mesh;
                }}
                geometry={shapes.blade}
                material={paint}
                position-y={HUB_RADIUS - 0.4}
                castShadow
              />
            </group>
          ))}
        </group>
      </group>
      {/* A body that is easier to hit than a blade; the keyboard's way is the label above the turbine. */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a mesh is no element of the page. */}
      <mesh
        position-y={(turbine.hubHeight + radius) / 2}
        onClick={choose}
        onPointerOver={point("pointer")}
        onPointerOut={point("")}
        visible={false}
      >
        <cylinderGeometry args={[radius * 0.75, radius * 0.4, turbine.hubHeight + radius, 8]} />
      </mesh>
    </group>
  );
}
