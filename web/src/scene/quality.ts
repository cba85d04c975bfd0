/** How much the scene may cost: chosen by `?quality=`, lowered by itself where frames come too slowly. */

export type Quality = "high" | "medium" | "low" | "least";

export interface Budget {
  readonly pixelRatio: number;
  readonly shadows: boolean;
  readonly shadowSize: number;
  readonly streaks: number;
  readonly trees: number;
  readonly maxFps: number;
  /** Shaders that a processor can do in place of a graphics card: no neighbouring fields, no gloss. */
  readonly plain: boolean;
}

export const budgets: Readonly<Record<Quality, Budget>> = {
  high: { pixelRatio: 2, shadows: true, shadowSize: 2048, streaks: 420, trees: 700, maxFps: 120, plain: false },
  medium: { pixelRatio: 1.25, shadows: true, shadowSize: 1024, streaks: 280, trees: 450, maxFps: 60, plain: false },
  low: { pixelRatio: 0.7, shadows: false, shadowSize: 512, streaks: 120, trees: 180, maxFps: 12, plain: true },
  least: { pixelRatio: 0.45, shadows: false, shadowSize: 512, streaks: 60, trees: 90, maxFps: 5, plain: true },
};

const order: readonly Quality[] = ["high", "medium", "low", "least"];

export function askedQuality(): Quality | null {
  const asked = new URLSearchParams(location.search).get("quality");
  return order.find((quality) => quality === asked) ?? null;
}

/** The next lower quality if the last frames took too long on average, else the same. */
export function lowered(quality: Quality, frames_ms: readonly number[]): Quality {
  const mean = frames_ms.reduce((total, ms) => total + ms, 0) / frames_ms.length;
  if (quality === "low") return mean > 90 ? "least" : "low";
  if (quality === "least" || mean < 30) return quality;
  return mean > 90 ? "low" : order[order.indexOf(quality) + 1]!;
}

export const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Where to start: what was asked for, else low where the processor does the graphics card's work. */
export function firstQuality(): Quality {
  const asked = askedQuality();
  if (asked) return asked;
  const context = document.createElement("canvas").getContext("webgl2");
  const name = String(context?.getParameter(context.RENDERER) ?? "");
  const info = context?.getExtension("WEBGL_debug_renderer_info");
  const unmasked = info ? String(context?.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(`${name} ${unmasked}`) ? "low" : "high";
}

/** Whether this browser can draw in three dimensions at all. */
export function hasWebGl(): boolean {
  if (new URLSearchParams(location.search).get("scene") === "map") return false;
  try {
    const context = document.createElement("canvas").getContext("webgl2");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return context !== null;
  } catch {
    return false;
  }
}
