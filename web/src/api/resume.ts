/** What a reader of the log makes of the next frame: nothing twice, nothing left out. */
import type { FeedFrame } from "./api.ts";

export type Step =
  | { readonly what: "take"; readonly frame: FeedFrame; readonly next: number }
  | { readonly what: "repeat" }
  | { readonly what: "gap"; readonly missing: number };

/**
 * Judges `frame` for a reader who has seen every entry below `next`.
 *
 * A frame that overlaps what was seen is trimmed to the rest; one that starts later tells how many entries are missing,
 * and the reader must ask again from `next`.
 */
export function step(next: number, frame: FeedFrame): Step {
  if (frame.first > next) return { what: "gap", missing: frame.first - next };
  if (frame.next <= next) return { what: "repeat" };
  if (frame.first === next) return { what: "take", frame, next: frame.next };
  const blocks = frame.blocks.filter((block) => block.index >= next);
  const entries = frame.entries.filter((entry) => entry.index >= next);
  return { what: "take", frame: { ...frame, first: next, blocks, entries }, next: frame.next };
}

/** How long to wait before the n-th try (0 first): doubles from 0.4 s to 8 s, with `luck` in [0, 1) spreading readers. */
export function backoff(tries: number, luck: number): number {
  return Math.min(8000, 400 * 2 ** tries) * (0.7 + 0.6 * luck);
}
