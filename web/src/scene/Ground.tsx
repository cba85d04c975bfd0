/**
 * The plateau: fields, a survey grid of 100 m and 500 m, and hills far out.
 *
 * Positions and distances of the turbines are true. Fields, woods and hills are scenery: the recorded elevation is the
 * same 411 m for all four, so the farm itself stands on level ground.
 */
import { useFrame } from "@react-three/fiber";
import { useMemo } from "react";
import { MeshLambertMaterial, PlaneGeometry, type WebGLProgramParametersWithUniforms } from "three";
import { air } from "./atmosphere.ts";

const FLAT = 1500; // metres around the centre without any relief

/** Height of the scenery at x, z. */
export function relief(x: number, z: number): number {
  const out = Math.max(0, Math.hypot(x, z) - FLAT) / 2600;
  const waves =
    Math.sin(x / 610 + 1.3) * Math.cos(z / 740 - 0.4) +
    0.6 * Math.sin(x / 330 - z / 410) +
    0.35 * Math.cos(z / 210 + x / 270);
  return Math.min(1, out) ** 1.5 * (58 + 46 * waves);
}

const colours = /* glsl */ `
vec2 cellPoint(vec2 c) { return c + 0.5 + 0.38 * (fract(sin(vec2(dot(c, vec2(127.1, 311.7)), dot(c, vec2(269.5, 183.3)))) * 43758.5453) - 0.5) * 2.0; }
float lines(vec2 p, float every, float width) {
  vec2 g = abs(fract(p / every - 0.5) - 0.5) * every;
  vec2 w = fwidth(p);
  vec2 l = 1.0 - smoothstep(vec2(width), vec2(width) + w, g);
  return max(l.x, l.y) * (1.0 - smoothstep(every * 0.1, every * 0.35, max(w.x, w.y)));
}
vec3 fields(vec2 p) {
#ifdef PLAIN
  vec2 q = mat2(0.94, -0.34, 0.34, 0.94) * p / vec2(330.0, 210.0);
  vec2 mine = floor(q);
  float next = 1.0, near = 0.0;
#else
  vec2 q = mat2(0.94, -0.34, 0.34, 0.94) * p / vec2(330.0, 210.0);
  vec2 home = floor(q);
  float near = 9.0, next = 9.0; vec2 mine = home;
  for (int y = -1; y <= 1; y++) for (int x = -1; x <= 1; x++) {
    vec2 c = home + vec2(float(x), float(y));
    vec2 d = abs(cellPoint(c) - q); float m = max(d.x, d.y);
    if (m < near) { next = near; near = m; mine = c; } else if (m < next) next = m;
  }
#endif
  float pick = fract(sin(dot(mine, vec2(41.3, 289.1))) * 7417.31);
  float tint = fract(pick * 17.0);
  vec3 color = pick < 0.42 ? mix(vec3(0.34, 0.42, 0.20), vec3(0.43, 0.50, 0.26), tint)
    : pick < 0.72 ? mix(vec3(0.60, 0.56, 0.36), vec3(0.68, 0.62, 0.42), tint)
    : pick < 0.9 ? mix(vec3(0.46, 0.50, 0.30), vec3(0.52, 0.55, 0.33), tint)
    : vec3(0.50, 0.42, 0.32);
#ifdef PLAIN
  return color;
#endif
  float furrow = sin((p.x * (0.6 + tint) + p.y * (1.1 - tint)) * 0.9);
  color *= 1.0 + 0.025 * furrow * (1.0 - smoothstep(0.4, 2.0, fwidth(p.x) + fwidth(p.y)));
  float hedge = 1.0 - smoothstep(0.004, 0.014, next - near);
  return mix(color, vec3(0.25, 0.30, 0.18), hedge * 0.5);
}`;

const night = { value: 0 };

function dress(shader: WebGLProgramParametersWithUniforms): void {
  shader.uniforms.uNight = night;
  shader.vertexShader = shader.vertexShader
    .replace("#include <common>", "#include <common>\nvarying vec3 vPlace;")
    .replace("#include <begin_vertex>", "#include <begin_vertex>\nvPlace = (modelMatrix * vec4(position, 1.0)).xyz;");
  shader.fragmentShader = shader.fragmentShader
    .replace("#include <common>", `#include <common>\nvarying vec3 vPlace;\nuniform float uNight;\n${colours}`)
    .replace(
      "#include <color_fragment>",
      /* glsl */ `
      vec3 land = fields(vPlace.xz);
      float far = length(vPlace.xz);
      float fade = 1.0 - smoothstep(900.0, 1700.0, far);
      land = mix(land, vec3(0.86, 0.9, 0.86), fade * (0.10 * lines(vPlace.xz, 100.0, 0.35) + 0.16 * lines(vPlace.xz, 500.0, 0.6)));
      // Colours fade in the dark before shapes do.
      land = mix(land, vec3(dot(land, vec3(0.3, 0.59, 0.11))) * vec3(0.86, 0.96, 1.1), 0.62 * uNight);
      diffuseColor.rgb = land;`,
    );
}

export function Ground({ plain }: { plain: boolean }) {
  const geometry = useMemo(() => {
    const plane = new PlaneGeometry(12000, 12000, 72, 72);
    plane.rotateX(-Math.PI / 2);
    const place = plane.getAttribute("position");
    for (let i = 0; i < place.count; i += 1) place.setY(i, relief(place.getX(i), place.getZ(i)));
    plane.computeVertexNormals();
    return plane;
  }, []);
  const material = useMemo(() => {
    const made = new MeshLambertMaterial();
    made.onBeforeCompile = dress;
    if (plain) made.defines = { PLAIN: "" };
    return made;
  }, [plain]);
  useFrame(() => {
    night.value = air.light.night;
  });
  return <mesh geometry={geometry} material={material} receiveShadow />;
}
