/** What charts show besides their lines: the present moment, alarms as shaded spans, and a finger as a cursor. */
import type uPlot from "uplot";
import { ink } from "./Strip.tsx";

export interface Marks {
  readonly now: number | null;
  readonly alarms: readonly (readonly [number, number])[];
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
        const { now } = read();
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
