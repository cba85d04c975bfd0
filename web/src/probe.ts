/** What browser tests may ask of the running page: `window.__ectype`. */
import { frames, motionOf } from "./scene/motion.ts";
import { get, type State } from "./state/store.ts";

declare global {
  interface Window {
    __ectype: {
      /** Angle of a turbine's rotor in radians; grows while it turns. */
      rotorAngle(id: string): number;
      yaw(id: string): number;
      pitch(id: string): number;
      rpm(id: string): number;
      /** Frames drawn since the page was opened. */
      frames(): number;
      state(): State;
    };
  }
}

export function startProbe(): void {
  window.__ectype = {
    rotorAngle: (id) => motionOf(id).angle,
    yaw: (id) => motionOf(id).yaw,
    pitch: (id) => motionOf(id).pitch,
    rpm: (id) => motionOf(id).rpm,
    frames: () => frames.drawn,
    state: get,
  };
}
