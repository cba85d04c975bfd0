/**
 * Wind as streaks that drift with the recorded direction and speed.
 *
 * They move at SPEEDUP times the recorded metres per second of wall time: at true speed they would crawl over a
 * kilometre and a half of farm. Their length grows with the wind too, so a still picture tells it.
 */
import { useFrame } from "@react-three/fiber";
import { useMemo } from "react";
import {
  Color,
  Float32BufferAttribute,
  InstancedBufferAttribute,
  InstancedBufferGeometry,
  ShaderMaterial,
  Vector2,
} from "three";
import { air } from "./atmosphere.ts";
import { stillness } from "./quality.ts";

const SPEEDUP = 7;
const BOX = 2600;

const vertex = /* glsl */ `
attribute vec4 aSeed;
uniform vec2 uOffset, uFlow;
uniform float uLength, uStrength;
varying float vAlpha;
void main() {
  float part = position.x; // 0 at the tail, 1 at the head
  float box = ${BOX.toFixed(1)};
  vec2 at = mod(aSeed.xy * box + uOffset * (0.75 + 0.5 * aSeed.w), box) - 0.5 * box;
  vec2 tail = at - uFlow * uLength * (0.6 + 0.8 * aSeed.w);
  float sway = 6.0 * sin(aSeed.w * 40.0 + dot(at, vec2(0.004, 0.006)));
  vec3 place = vec3(mix(tail, at, part), 0.0).xzy;
  place.y = 12.0 + 135.0 * aSeed.z + sway;
  vec4 view = viewMatrix * vec4(place, 1.0);
  vec3 along = (viewMatrix * vec4(uFlow.x, 0.0, uFlow.y, 0.0)).xyz;
  vec3 side = normalize(cross(along, view.xyz) + 1e-5);
  view.xyz += side * position.y * (0.12 + -view.z * 0.0006);
  float edge = 1.0 - smoothstep(0.36, 0.5, length(at) / box);
  float near = smoothstep(20.0, 140.0, -view.z);
  vAlpha = part * part * (1.0 - smoothstep(0.93, 1.0, part) * 0.4) * edge * near * uStrength;
  gl_Position = projectionMatrix * view;
}`;

const fragment = /* glsl */ `
uniform vec3 uColor;
varying float vAlpha;
void main() { gl_FragColor = vec4(uColor, vAlpha); }`;

export function Wind({ count }: { count: number }) {
  const geometry = useMemo(() => {
    const made = new InstancedBufferGeometry();
    const strip = [0, -1, 0, 0, 1, 0, 0.5, -1, 0, 0.5, 1, 0, 1, -1, 0, 1, 1, 0];
    made.setAttribute("position", new Float32BufferAttribute(strip, 3));
    made.setIndex([0, 2, 1, 1, 2, 3, 2, 4, 3, 3, 4, 5]);
    const seeds = new Float32Array(count * 4);
    // The R4 sequence spreads evenly where dice would clump.
    const steps = [0.8566748838545029, 0.733891856627126, 0.6287067210378087, 0.5385972572236101];
    for (let i = 0; i < count; i += 1)
      steps.forEach((step, k) => {
        seeds[i * 4 + k] = (0.5 + step * (i + 1)) % 1;
      });
    made.setAttribute("aSeed", new InstancedBufferAttribute(seeds, 4));
    made.instanceCount = count;
    return made;
  }, [count]);
  const material = useMemo(
    () =>
      new ShaderMaterial({
        vertexShader: vertex,
        fragmentShader: fragment,
        transparent: true,
        depthWrite: false,
        uniforms: {
          uOffset: { value: new Vector2() },
          uFlow: { value: new Vector2(1, 0) },
          uLength: { value: 60 },
          uStrength: { value: 0.5 },
          uColor: { value: new Color("#ffffff") },
        },
      }),
    [],
  );
  useFrame((_, dt) => {
    const u = material.uniforms;
    const from = (air.from * Math.PI) / 180;
    const flow = u.uFlow!.value as Vector2;
    flow.set(-Math.sin(from), Math.cos(from)); // x east, z south: where it blows to
    if (!stillness.matches)
      (u.uOffset!.value as Vector2).addScaledVector(flow, air.speed * SPEEDUP * Math.min(dt, 0.2));
    u.uLength!.value = 16 + air.speed * 13;
    u.uStrength!.value = Math.min(0.6, 0.2 + air.speed * 0.035) * (1 - 0.5 * air.light.night);
  });
  return <mesh geometry={geometry} material={material} frustumCulled={false} renderOrder={5} />;
}
