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
    let late = 0;
    let fresh = false;
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
      // The browser calls again once it is done with the last frame: so long it took. Where that is long the processor
      // draws, and must keep time for the rest of the page.
      if (fresh) late = now - drawn;
      fresh = false;
      const { maxFps, plain } = budgets[quality];
      const least = 1000 / (stillness.matches ? Math.min(12, maxFps) : maxFps) - 2;
      if (now - drawn < (plain ? Math.max(least, Math.min(1500, 2.5 * late)) : least)) return;
      const dt = Math.min(0.5, (now - drawn) / 1000);
      drawn = now;
      fresh = true;
      advanceAir(dt);
      advanceMotion(stillness.matches ? 0 : dt);
      advance(now / 1000, true);
      // What was asked for by name stays, but for the last step: a page that cannot be used helps nobody.
      const fixed = askedQuality() !== null && quality !== "low";
      if (quality === "least" || fixed || now - begun < WARM_UP_MS) {
        turned = now;
        return;
      }
      spent.push(plain ? late : now - turned);
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
