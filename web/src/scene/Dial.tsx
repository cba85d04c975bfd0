/**
 * The dial on the ground under a turbine: how much of its rated power it makes, and how it fares.
 *
 * On the chosen turbine it also shows the nacelle's heading as a line and, as a wedge two standard deviations wide to
 * each side, where the estimate believes the wind to come from.
 */
import { useFrame } from "@react-three/fiber";
import { useMemo } from "react";
import { Color, ShaderMaterial } from "three";
import { type Condition, conditionOf, type Turbine } from "../state/farm.ts";
import { get, shown } from "../state/store.ts";
import { air } from "./atmosphere.ts";
import { motionOf } from "./motion.ts";
import { stillness } from "./quality.ts";

export const conditionColor: Readonly<Record<Condition, string>> = {
  producing: "#3fbf86",
  idle: "#a9b8bd",
  stopped: "#e0a13a",
  alarm: "#ff5a36",
  silent: "#7a868b",
};

const SIZE = 170;

const vertex = /* glsl */ `
varying vec2 vAt;
void main() {
  vec4 place = modelMatrix * vec4(position, 1.0);
  vAt = vec2(position.x, position.y);
  gl_Position = projectionMatrix * viewMatrix * place;
}`;

const fragment = /* glsl */ `
uniform vec3 uColor, uWedge;
uniform float uPart, uChosen, uAlarm, uPulse, uYaw, uWind, uDoubt;
varying vec2 vAt;
const float PI = 3.14159265;
float band(float v, float low, float high) { float w = fwidth(v); return smoothstep(low - w, low + w, v) * (1.0 - smoothstep(high - w, high + w, v)); }
float around(float a, float b) { return abs(mod(a - b + PI, 2.0 * PI) - PI); }
void main() {
  float r = length(vAt);
  float a = atan(vAt.x, vAt.y);
  float whole = mod(a + 2.0 * PI, 2.0 * PI) / (2.0 * PI);
  float ring = band(r, 44.0, 49.0);
  float w = fwidth(whole);
  float filled = whole < uPart ? 1.0 : 0.0;
  vec4 color = vec4(mix(vec3(1.0), uColor, filled), ring * mix(0.22, 0.95, filled));
  float tick = step(around(a * 6.0, 0.0), 0.08 + r * fwidth(r) * 0.004) * band(r, 51.0, 54.0);
  color = mix(color, vec4(1.0), tick * 0.7 * (0.35 + 0.65 * uChosen));
  color = mix(color, vec4(1.0, 1.0, 1.0, 1.0), uChosen * band(r, 56.5, 58.0) * 0.95);
  if (uChosen > 0.5) {
    float wedge = (1.0 - smoothstep(uDoubt, uDoubt + 0.01, around(a, uWind))) * band(r, 8.0, 43.0);
    color = mix(color, vec4(uWedge, 0.75), wedge * 0.8);
    float middle = (1.0 - smoothstep(0.35, 0.35 + fwidth(r), r * sin(min(around(a, uWind), 1.5)))) * band(r, 8.0, 43.0);
    color = mix(color, vec4(uWedge, 1.0), middle * 0.9);
    float axis = (1.0 - smoothstep(0.45, 0.45 + fwidth(r), r * sin(min(around(a, uYaw), 1.5)))) * band(r, 6.0, 56.5);
    color = mix(color, vec4(1.0), axis);
  }
  float wave = 50.0 + 30.0 * uPulse;
  float alarm = uAlarm * (0.35 * (1.0 - smoothstep(0.0, 60.0, r)) + (1.0 - uPulse) * band(r, wave - 3.0, wave + 3.0));
  color.rgb = mix(color.rgb, uColor, clamp(alarm * 2.0, 0.0, 1.0) * (1.0 - ring));
  color.a = max(color.a, alarm);
  gl_FragColor = color;
  #include <colorspace_fragment>
}`;

export function Dial({ turbine }: { turbine: Turbine }) {
  const material = useMemo(
    () =>
      new ShaderMaterial({
        vertexShader: vertex,
        fragmentShader: fragment,
        transparent: true,
        depthWrite: false,
        polygonOffset: true,
        polygonOffsetFactor: -4,
        polygonOffsetUnits: -4,
        uniforms: {
          uColor: { value: new Color() },
          uWedge: { value: new Color("#5ecbe0") },
          uPart: { value: 0 },
          uChosen: { value: 0 },
          uAlarm: { value: 0 },
          uPulse: { value: 0 },
          uYaw: { value: 0 },
          uWind: { value: 0 },
          uDoubt: { value: 0 },
        },
      }),
    [],
  );
  useFrame(() => {
    const state = get();
    const samples = shown(state);
    const u = material.uniforms;
    const how = conditionOf(turbine.id, state);
    const yaw = motionOf(turbine.id).yaw;
    const off = samples[`${turbine.id}.yawMisalignment@estimated`];
    const rad = Math.PI / 180;
    (u.uColor!.value as Color).set(conditionColor[how]);
    const part = Math.max(0, (samples[`${turbine.id}.power`]?.v ?? 0) / turbine.ratedPower);
    u.uPart!.value += (part - u.uPart!.value) * 0.12;
    u.uChosen!.value = state.selected === turbine.id ? 1 : 0;
    u.uAlarm!.value = how === "alarm" ? 1 : 0;
    u.uPulse!.value = stillness.matches ? 0.3 : (air.wall * 0.6) % 1;
    u.uYaw!.value = (Number.isNaN(yaw) ? 0 : yaw) * rad;
    u.uWind!.value = ((Number.isNaN(yaw) ? 0 : yaw) + (off?.v ?? 0)) * rad;
    u.uDoubt!.value = Math.min(60, 2 * (off?.std ?? 0)) * rad;
  });
  return (
    <mesh material={material} rotation-x={-Math.PI / 2} position-y={0.4} renderOrder={2}>
      <planeGeometry args={[SIZE, SIZE]} />
    </mesh>
  );
}
