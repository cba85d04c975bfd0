/** Draws frames: none while the page is hidden or scrolled away, no more than the quality allows, fewer details when slow. */
import { useThree } from "@react-three/fiber";
import { useEffect } from "react";
import { advanceAir } from "./atmosphere.ts";
import { advanceMotion } from "./motion.ts";
import { askedQuality, budgets, lowered, type Quality, stillness } from "./quality.ts";

const WARM_UP_MS = 1500;
const JUDGED_MS = 1200;

export function Driver({ quality, onQuality }: { quality: Quality; onQuality: (quality: Quality) => void }) {
  const advance = useThree((state) => state.advance);
  const canvas = useThree((state) => state.gl.domElement);
  useEffect(() => {
    let frame = 0;
    let drawn = performance.now();
    let seen = true;
    let turned = drawn;
    let spent: number[] = [];
    let judged = 0;
    const begun = drawn;
    const watch = new IntersectionObserver(([entry]) => {
      seen = entry?.isIntersecting ?? true;
    });
    watch.observe(canvas);
    const tick = (now: number): void => {
      frame = requestAnimationFrame(tick);
      if (!seen || document.hidden) {
        drawn = now;
        return;
      }
      const least = 1000 / (stillness.matches ? 12 : budgets[quality].maxFps) - 2;
      if (now - drawn < least) return;
      const dt = Math.min(0.25, (now - drawn) / 1000);
      drawn = now;
      advanceAir(dt);
      advanceMotion(stillness.matches ? 0 : dt);
      advance(now / 1000, true);
      if (quality === "low" || askedQuality() || now - begun < WARM_UP_MS) {
        turned = now;
        return;
      }
      spent.push(now - turned);
      judged += now - turned;
      turned = now;
      if (judged < JUDGED_MS || spent.length < 4) return;
      const next = lowered(quality, spent);
      spent = [];
      judged = 0;
      if (next !== quality) onQuality(next);
    };
    frame = requestAnimationFrame(tick);
    return () => {
      cancelAnimationFrame(frame);
      watch.disconnect();
    };
  }, [advance, canvas, quality, onQuality]);
  return null;
}
