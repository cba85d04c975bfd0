/** Name, power and state of each turbine, floating above it: real buttons, so keyboard and screen reader reach them. */
import { useFrame, useThree } from "@react-three/fiber";
import { useMemo } from "react";
import { Vector3 } from "three";
import { select } from "../state/choose.ts";
import { conditionOf, conditionText, type Turbine } from "../state/farm.ts";
import { shown, useStore } from "../state/store.ts";
import { power } from "../text/format.ts";
import type { Spot } from "./home.ts";

export type LabelRefs = Map<string, HTMLElement>;

/** Inside the canvas: moves the labels (which live outside it) to where their turbines are on the screen. */
export function LabelMover({ spots, labels }: { spots: readonly Spot[]; labels: LabelRefs }) {
  const camera = useThree((state) => state.camera);
  const size = useThree((state) => state.size);
  const at = useMemo(() => new Vector3(), []);
  useFrame(() => {
    const placed: { x: number; y: number; w: number; h: number; far: number; element: HTMLElement; lift: number }[] =
      [];
    for (const spot of spots) {
      const element = labels.get(spot.id);
      if (!element) continue;
      at.set(spot.x, spot.hub + spot.radius + 5, spot.z).project(camera);
      const off = at.z > 1 || Math.abs(at.x) > 1.1 || at.y < -1.2;
      element.style.visibility = off ? "hidden" : "visible";
      if (off) continue;
      const body = element.firstElementChild as HTMLElement;
      const h = body.offsetHeight;
      const w = body.offsetWidth;
      const x = Math.max(w / 2 + 4, Math.min(size.width - w / 2 - 4, ((at.x + 1) / 2) * size.width));
      const y = Math.max(h + 14, ((1 - at.y) / 2) * size.height);
      placed.push({ x, y, w, h, far: at.z, element, lift: 0 });
    }
    placed.sort((a, b) => a.far - b.far);
    placed.forEach((label, i) => {
      // A label behind another one moves up until it is free; its stem grows with it.
      for (let again = true, tries = 0; again && tries < 8; tries += 1) {
        again = false;
        for (const near of placed.slice(0, i)) {
          const apart = Math.abs(label.x - near.x) - (label.w + near.w) / 2 - 4;
          const below = near.y - near.lift - (label.y - label.lift);
          if (apart < 0 && Math.abs(below) < (label.h + near.h) / 2 + 3) {
            label.lift += (label.h + near.h) / 2 + 4 - below;
            again = true;
          }
        }
      }
      label.lift = Math.min(label.lift, Math.max(0, label.y - label.h - 6));
      label.element.style.transform = `translate(${label.x}px, ${label.y}px)`;
      const lift = `${Math.round(label.lift)}px`;
      if (label.element.style.getPropertyValue("--lift") !== lift) label.element.style.setProperty("--lift", lift);
      label.element.style.zIndex = String(100 - i);
    });
  });
  return null;
}

export function Label({ turbine, labels }: { turbine: Turbine; labels: LabelRefs }) {
  const kw = useStore((state) => shown(state)[`${turbine.id}.power`]?.v);
  const how = useStore((state) => conditionOf(turbine.id, state));
  const chosen = useStore((state) => state.selected === turbine.id);
  const p = power(kw);
  return (
    <div
      className="label"
      ref={(element) => {
        if (element) labels.set(turbine.id, element);
        else labels.delete(turbine.id);
      }}
    >
      <button
        type="button"
        className={`label-body is-${how}`}
        aria-pressed={chosen}
        aria-label={`${turbine.name}: ${conditionText[how]}, ${p.text} ${p.unit}`}
        onClick={() => select(chosen ? null : turbine.id)}
      >
        <i className="dot" />
        <b>{turbine.name}</b>
        <span>
          {p.text}
          <small>{p.unit}</small>
        </span>
      </button>
    </div>
  );
}
