/** Where the camera looks, shared by the parts that follow it (shadows, compass, scale bar). */
import { Vector3 } from "three";

export const camera = {
  target: new Vector3(),
  distance: 1500,
  /** Degrees clockwise from north that the camera looks towards. */
  heading: 0,
  /** Metres per CSS pixel at the target. */
  metresPerPixel: 1,
};
