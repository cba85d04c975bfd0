/** What charts show besides their lines: the present moment, alarms as shaded spans, and a finger as a cursor. */
import type uPlot from "uplot";
import { ink } from "./ink.ts";
import type { Doubt } from "./table.ts";

export interface Marks {
  readonly now: number | null;
  readonly alarms: readonly (readonly [number, number])[];
  readonly doubts: readonly Doubt[];
}

export function marks(read: () => Marks): uPlot.Plugin {
  return {
    hooks: {
      drawClear: (self) => {
        const { ctx, bbox } = self;
        const { alarms } = read();
        ctx.save();
        ctx.fillStyle = ink("alarm", 0.14);
        for (const [from, to] of alarms) {
          const left = Math.max(bbox.left, self.valToPos(from, "x", true));
          const right = Math.min(bbox.left + bbox.width, self.valToPos(to, "x", true));
          if (right > left) ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
        }
        ctx.restore();
      },
      draw: (self) => {
        const { now, doubts } = read();
        drawDoubts(self, doubts);
        if (now === null) return;
        const { ctx, bbox } = self;
        const x = Math.round(self.valToPos(now, "x", true)) + 0.5;
        if (x < bbox.left || x > bbox.left + bbox.width) return;
        ctx.save();
        ctx.strokeStyle = ink("ink", 0.55);
        ctx.lineWidth = devicePixelRatio;
        ctx.setLineDash([2 * devicePixelRatio, 2 * devicePixelRatio]);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        ctx.restore();
      },
    },
  };
}

/** A ring around a suspect reading, a cross through a bad one; what lies outside the chart is marked at its edge. */
function drawDoubts(self: uPlot, doubts: readonly Doubt[]): void {
  if (doubts.length === 0) return;
  const { ctx, bbox } = self;
  const r = 3.5 * devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const { t, v, quality } of doubts) {
    const x = self.valToPos(t, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const y = Math.min(Math.max(self.valToPos(v, "y", true), bbox.top + r), bbox.top + bbox.height - r);
    ctx.strokeStyle = ink(quality === "bad" ? "alarm" : "warn");
    ctx.beginPath();
    if (quality === "bad") {
      ctx.moveTo(x - r, y - r);
      ctx.lineTo(x + r, y + r);
      ctx.moveTo(x + r, y - r);
      ctx.lineTo(x - r, y + r);
    } else ctx.arc(x, y, r, 0, 2 * Math.PI);
    ctx.stroke();
  }
  ctx.restore();
}

/** A finger that moves sideways moves the cursor; up and down still scrolls the page. */
export function touch(): uPlot.Plugin {
  return {
    hooks: {
      ready: (self) => {
        const over = self.over;
        over.style.touchAction = "pan-y";
        const move = (event: PointerEvent): void => {
          if (event.pointerType !== "touch") return;
          const box = over.getBoundingClientRect();
          self.setCursor({ left: event.clientX - box.left, top: event.clientY - box.top });
        };
        over.addEventListener("pointerdown", move);
        over.addEventListener("pointermove", move);
      },
    },
  };
}
