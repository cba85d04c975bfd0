/** The dome, the sun's light and the haze, all from the hour of data time. */
import { useFrame, useThree } from "@react-three/fiber";
import { useEffect, useMemo, useRef } from "react";
import { BackSide, Color, type DirectionalLight, Fog, type HemisphereLight, ShaderMaterial, Vector3 } from "three";
import { air } from "./atmosphere.ts";
import { camera } from "./camera.ts";

const vertex = /* glsl */ `
varying vec3 vWay;
void main() {
  vWay = normalize(position);
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`;

const fragment = /* glsl */ `
uniform vec3 uTop, uLow, uSun, uSunColor;
uniform float uNight;
varying vec3 vWay;
float hash(vec3 p) { return fract(sin(dot(p, vec3(12.9898, 78.233, 37.719))) * 43758.5453); }
void main() {
  vec3 way = normalize(vWay);
  float h = max(way.y, 0.0);
  vec3 color = mix(uLow, uTop, pow(smoothstep(0.0, 0.55, h), 0.6));
  float toSun = max(dot(way, uSun), 0.0);
  float dawn = 1.0 - smoothstep(0.0, 0.45, abs(uSun.y));
  color += uSunColor * (0.35 * pow(toSun, 24.0) + 0.22 * dawn * pow(toSun, 4.0)) * (1.0 - uNight) * (1.0 - 0.5 * h);
  color = mix(color, vec3(1.0, 0.97, 0.9), smoothstep(0.99955, 0.9998, toSun) * smoothstep(-0.02, 0.01, uSun.y));
  if (uNight > 0.01) {
  vec3 cell = floor(way * 240.0);
  float star = step(0.988, hash(cell)) * smoothstep(0.32, 0.0, length(fract(way * 240.0) - 0.5));
  color += star * uNight * uNight * smoothstep(0.0, 0.25, way.y) * (0.25 + 0.75 * hash(cell + 1.0));
  }
  gl_FragColor = vec4(color, 1.0);
  #include <colorspace_fragment>
}`;

// At night the air is lit as a film would light it: bright enough to see the machines, blue enough to be night.
const moonlit = new Color("#6d86ad");

export function Sky({ shadows, shadowSize }: { shadows: boolean; shadowSize: number }) {
  const scene = useThree((state) => state.scene);
  const sun = useRef<DirectionalLight>(null);
  const dome = useRef<HemisphereLight>(null);
  const material = useMemo(
    () =>
      new ShaderMaterial({
        vertexShader: vertex,
        fragmentShader: fragment,
        side: BackSide,
        depthWrite: false,
        uniforms: {
          uTop: { value: new Color() },
          uLow: { value: new Color() },
          uSun: { value: new Vector3() },
          uSunColor: { value: new Color() },
          uNight: { value: 0 },
        },
      }),
    [],
  );
  const fog = useMemo(() => new Fog("#ffffff", 1400, 5200), []);
  useEffect(() => {
    scene.fog = fog;
    return () => {
      scene.fog = null;
    };
  }, [scene, fog]);

  useFrame(() => {
    const { light } = air;
    const u = material.uniforms;
    u.uTop!.value.copy(light.skyTop);
    u.uLow!.value.copy(light.skyLow);
    u.uSun!.value.copy(light.sun);
    u.uSunColor!.value.copy(light.sunColor);
    u.uNight!.value = light.night;
    fog.color.copy(light.skyLow);
    const lamp = sun.current;
    if (lamp) {
      lamp.color.copy(light.sunColor);
      lamp.intensity = light.sunStrength;
      // The shadow map follows what is looked at: fine where the camera is near, wide where it is far.
      const reach = Math.min(1000, Math.max(140, camera.distance * 0.75));
      lamp.target.position.copy(camera.target);
      lamp.target.updateMatrixWorld();
      lamp.position.copy(camera.target).addScaledVector(light.towards, 2200);
      const box = lamp.shadow.camera;
      if (Math.abs(box.right - reach) > reach * 0.02) {
        box.left = -reach;
        box.right = reach;
        box.top = reach;
        box.bottom = -reach;
        box.near = 400;
        box.far = 4200;
        box.updateProjectionMatrix();
      }
    }
    if (dome.current) {
      dome.current.color
        .copy(light.skyTop)
        .lerp(light.skyLow, 0.45)
        .lerp(moonlit, 0.85 * light.night);
      dome.current.groundColor.copy(light.ground);
      dome.current.intensity = light.ambient * 1.15;
    }
  });

  return (
    <>
      <mesh material={material} renderOrder={-10} frustumCulled={false}>
        <sphereGeometry args={[7000, 32, 16]} />
      </mesh>
      <hemisphereLight ref={dome} />
      <directionalLight
        key={`${shadows}${shadowSize}`}
        ref={sun}
        castShadow={shadows}
        shadow-mapSize={[shadowSize, shadowSize]}
        shadow-bias={-0.0006}
        shadow-normalBias={0.6}
        shadow-radius={3}
      />
    </>
  );
}
