import { describe, expect, test } from "vitest";
import type { Block, FeedFrame } from "../src/api/api.ts";
import { backoff, step } from "../src/api/resume.ts";

const block = (index: number): Block => ({
  kind: "measured",
  index,
  series: ["a.power"],
  which: [0],
  t: [index],
  v: [index],
  std: null,
});

/** The frame of entries `first` to `next`, one block each. */
const frame = (first: number, next: number, size = next): FeedFrame => ({
  first,
  next,
  size,
  blocks: Array.from({ length: next - first }, (_, i) => block(first + i)),
  entries: [],
  marks: [],
});

function dice(seed: number): () => number {
  let a = seed;
  return () => {
    a = (Math.imul(a, 1664525) + 1013904223) >>> 0;
    return a / 2 ** 32;
  };
}

describe("a reader of the feed", () => {
  test("takes the frame that comes next", () => {
    expect(step(5, frame(5, 8))).toMatchObject({ what: "take", next: 8 });
  });

  test("passes over what it has seen", () => {
    expect(step(8, frame(5, 8)).what).toBe("repeat");
    expect(step(8, frame(8, 8)).what).toBe("repeat");
  });

  test("takes only the new part of a frame that overlaps", () => {
    const taken = step(6, frame(5, 8));
    expect(taken.what === "take" && taken.frame.blocks.map((one) => one.index)).toEqual([6, 7]);
  });

  test("tells a gap and takes nothing", () => {
    expect(step(5, frame(7, 9))).toEqual({ what: "gap", missing: 2 });
  });

  test("sees every entry once and in order, however the line breaks and wherever frames are cut", () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const roll = dice(seed);
      const end = 60;
      const seen: number[] = [];
      let next = 0;
      while (next < end) {
        // A connection: starts where the reader says, or a little earlier, cuts frames anywhere, loses one now and then.
        let at = Math.max(0, next - Math.floor(roll() * 4));
        while (at < end) {
          const to = Math.min(end, at + 1 + Math.floor(roll() * 7));
          const lost = roll() < 0.1;
          const judged = lost ? ({ what: "repeat" } as const) : step(next, frame(at, to, end));
          if (judged.what === "gap") break;
          if (judged.what === "take") {
            seen.push(...judged.frame.blocks.map((one) => one.index));
            next = judged.next;
          }
          at = to;
          if (roll() < 0.15) break;
        }
      }
      expect(seen).toEqual(Array.from({ length: end }, (_, i) => i));
    }
  });
});

test("tries come slower and slower, but never slower than eleven seconds apart", () => {
  const waits = Array.from({ length: 12 }, (_, tries) => backoff(tries, 0.5));
  for (let i = 1; i < waits.length; i += 1) expect(waits[i]).toBeGreaterThanOrEqual(waits[i - 1]!);
  expect(waits[0]).toBeLessThan(500);
  expect(backoff(50, 0.999)).toBeLessThan(11_000);
});
