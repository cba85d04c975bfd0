/** The camera: orbit within limits, fly to the chosen turbine, and home again (double click or `h`). */
import { useFrame, useThree } from "@react-three/fiber";
import { useEffect, useMemo } from "react";
import { type PerspectiveCamera, Vector3 } from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { set, useStore } from "../state/store.ts";
import { camera as view } from "./camera.ts";
import { homeView, type Spot } from "./home.ts";
import { motionOf } from "./motion.ts";
import { stillness } from "./quality.ts";

interface Flight {
  readonly fromEye: Vector3;
  readonly fromTarget: Vector3;
  readonly toEye: Vector3;
  readonly toTarget: Vector3;
  done: number;
}

const ease = (t: number): number => (t < 0.5 ? 4 * t ** 3 : 1 - (-2 * t + 2) ** 3 / 2);

const vector = ([x, y, z]: readonly [number, number, number]): Vector3 => new Vector3(x, y, z);

function wholeFarm(
  spots: readonly Spot[],
  camera: PerspectiveCamera,
  aspect: number,
): { eye: Vector3; target: Vector3 } {
  const across = 2 * Math.atan(Math.tan((camera.fov * Math.PI) / 360) * aspect);
  const { eye, target } = homeView(spots, across * 0.86);
  return { eye: vector(eye), target: vector(target) };
}

function turbineView(spot: Spot, aspect: number): { eye: Vector3; target: Vector3 } {
  // In front of the rotor and to its side, so that rotor, nacelle and dial are all seen.
  const yaw = ((motionOf(spot.id).yaw || 0) * Math.PI) / 180 + 0.62;
  const far = aspect > 1 ? 265 : 360;
  return {
    eye: new Vector3(spot.x + Math.sin(yaw) * far, spot.hub * 0.9, spot.z - Math.cos(yaw) * far),
    target: new Vector3(spot.x, spot.hub * 0.8, spot.z),
  };
}

export function Rig({ spots }: { spots: readonly Spot[] }) {
  const camera = useThree((state) => state.camera) as PerspectiveCamera;
  const canvas = useThree((state) => state.gl.domElement);
  const size = useThree((state) => state.size);
  const selected = useStore((state) => state.selected);
  const aspect = size.width / Math.max(1, size.height);
  const wide = aspect > 1;

  const controls = useMemo(() => {
    const made = new OrbitControls(camera, canvas);
    made.enableDamping = !stillness.matches;
    made.dampingFactor = 0.09;
    made.minDistance = 70;
    made.maxDistance = 3200;
    made.maxPolarAngle = 1.53;
    made.minPolarAngle = 0.12;
    made.screenSpacePanning = false;
    made.zoomSpeed = 0.7;
    return made;
  }, [camera, canvas]);
  useEffect(() => () => controls.dispose(), [controls]);

  const flight = useMemo<{ now: Flight | null; placed: boolean }>(() => ({ now: null, placed: false }), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only a choice, or turning the phone, moves the camera.
  useEffect(() => {
    const spot = spots.find(({ id }) => id === selected);
    const to = spot ? turbineView(spot, aspect) : wholeFarm(spots, camera, aspect);
    if (!flight.placed || stillness.matches) {
      camera.position.copy(to.eye);
      controls.target.copy(to.target);
      controls.update();
      flight.placed = spots.length > 0;
      return;
    }
    flight.now = {
      fromEye: camera.position.clone(),
      fromTarget: controls.target.clone(),
      toEye: to.eye,
      toTarget: to.target,
      done: 0,
    };
  }, [selected, spots, wide, controls]);

  useEffect(() => {
    const home = (): void => {
      if (useStore.getState().selected !== null) {
        set({ selected: null });
        return;
      }
      const { eye, target } = wholeFarm(spots, camera, aspect);
      flight.now = {
        fromEye: camera.position.clone(),
        fromTarget: controls.target.clone(),
        toEye: eye,
        toTarget: target,
        done: 0,
      };
    };
    const key = (event: KeyboardEvent): void => {
      const typing = (event.target as HTMLElement).closest("input, select, textarea, [contenteditable], .cm-editor");
      if (event.key === "h" && !typing && !event.ctrlKey && !event.metaKey) home();
    };
    const grab = (): void => {
      flight.now = null;
    };
    canvas.addEventListener("dblclick", home);
    canvas.addEventListener("pointerdown", grab);
    canvas.addEventListener("wheel", grab, { passive: true });
    window.addEventListener("keydown", key);
    return () => {
      canvas.removeEventListener("dblclick", home);
      canvas.removeEventListener("pointerdown", grab);
      canvas.removeEventListener("wheel", grab);
      window.removeEventListener("keydown", key);
    };
  }, [canvas, camera, controls, flight, spots, aspect]);

  useFrame((_, dt) => {
    const now = flight.now;
    if (now) {
      now.done = Math.min(1, now.done + Math.min(dt, 0.5) / 1.1);
      const part = ease(now.done);
      camera.position.lerpVectors(now.fromEye, now.toEye, part);
      // A small arc upwards, so that a flight past another turbine clears it.
      camera.position.y += Math.sin(part * Math.PI) * now.fromEye.distanceTo(now.toEye) * 0.05;
      controls.target.lerpVectors(now.fromTarget, now.toTarget, part);
      if (now.done === 1) flight.now = null;
    }
    controls.target.y = Math.max(0, Math.min(160, controls.target.y));
    const out = Math.hypot(controls.target.x, controls.target.z);
    if (out > 1600) controls.target.multiplyScalar(1600 / out);
    controls.update(dt);
    if (camera.position.y < 4) camera.position.y = 4;
    view.target.copy(controls.target);
    view.distance = camera.position.distanceTo(controls.target);
    view.heading =
      (Math.atan2(controls.target.x - camera.position.x, -(controls.target.z - camera.position.z)) * 180) / Math.PI;
    view.metresPerPixel = (2 * view.distance * Math.tan((camera.fov * Math.PI) / 360)) / size.height;
  }, -1);
  return null;
}
