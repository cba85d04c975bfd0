import { describe, expect, test } from "vitest";
import { doubts, stack, table, withGaps } from "../src/charts/table.ts";
import { questionFor, windowOf } from "../src/charts/window.ts";
import { homeView, type Spot } from "../src/scene/home.ts";
import { condition, farmWind } from "../src/state/farm.ts";
import { after, continued, doubt, forget, remember } from "../src/state/recent.ts";

const MIN = 60_000;
const HOUR = 60 * MIN;

describe("the opening view", () => {
  const across = 0.6;
  const angle = (spot: Spot, view: ReturnType<typeof homeView>): number => {
    const ahead = Math.atan2(view.target[0] - view.eye[0], view.target[2] - view.eye[2]);
    const there = Math.atan2(spot.x - view.eye[0], spot.z - view.eye[2]);
    return Math.atan2(Math.sin(there - ahead), Math.cos(there - ahead));
  };
  const farms: Record<string, [number, number][]> = {
    "La Haute Borne": [
      [-288, -600],
      [-125, 200],
      [288, 600],
      [-81, -233],
    ],
    "a single turbine": [[0, 0]],
    "a row": [
      [-900, 0],
      [-300, 0],
      [300, 0],
      [900, 0],
    ],
    "a square": [
      [-400, -400],
      [400, -400],
      [-400, 400],
      [400, 400],
    ],
  };
  for (const [name, places] of Object.entries(farms)) {
    test(`shows all of ${name}, none hidden behind another`, () => {
      const spots = places.map(([x, z], i) => ({ id: String(i), x, z, hub: 80, radius: 41 }));
      const view = homeView(spots, across);
      const angles = spots.map((spot) => angle(spot, view)).sort((a, b) => a - b);
      for (const one of angles) expect(Math.abs(one)).toBeLessThan(across / 2 + 1e-9);
      for (let i = 1; i < angles.length; i += 1) expect(angles[i]! - angles[i - 1]!).toBeGreaterThan(0.012);
    });
  }
});

describe("the state of a turbine", () => {
  const at = 1_000 * HOUR;
  const samples = (power: number, pitch: number, wind: number) => ({
    "A.power": { t: at, v: power, std: null },
    "A.pitch": { t: at, v: pitch, std: null },
    "A.windSpeed": { t: at, v: wind, std: null },
  });
  test("follows from power, pitch and wind", () => {
    expect(condition("A", samples(800, 0, 8), at, false)).toBe("producing");
    expect(condition("A", samples(-2, 1, 2), at, false)).toBe("idle");
    expect(condition("A", samples(-2, 89, 8), at, false)).toBe("stopped");
    expect(condition("A", samples(-2, 89, 8), at, true)).toBe("alarm");
    expect(condition("A", samples(800, 0, 8), at + 2 * HOUR, false)).toBe("silent");
    expect(condition("A", {}, at, false)).toBe("silent");
  });

  test("wind from both sides of north comes from the north", () => {
    const wind = farmWind(["A", "B"], {
      "A.windSpeed": { t: 0, v: 6, std: null },
      "B.windSpeed": { t: 0, v: 8, std: null },
      "A.windDirection": { t: 0, v: 350, std: null },
      "B.windDirection": { t: 0, v: 10, std: null },
    });
    expect(wind?.speed).toBe(7);
    expect(Math.min(wind!.from, 360 - wind!.from)).toBeLessThan(1e-9);
  });
});

describe("charts", () => {
  test("a long silence becomes a hole", () => {
    const [t, v] = withGaps([
      [0, 10 * MIN, 20 * MIN, 3 * HOUR, 3 * HOUR + 10 * MIN],
      [1, 2, 3, 4, 5],
    ]);
    expect(t).toContain(3 * HOUR - 1);
    expect(v[t.indexOf(3 * HOUR - 1)]).toBeNull();
    expect(v.filter((value) => value !== null)).toEqual([1, 2, 3, 4, 5]);
  });

  test("a stack is the running sum, holding the last value of each", () => {
    const [low, high] = stack([
      { t: [0, 10, 20], v: [1, 2, 3], std: null },
      { t: [0, 20], v: [10, 20], std: null },
    ]);
    expect(low).toEqual([
      [0, 10, 20],
      [1, 2, 3],
    ]);
    expect(high).toEqual([
      [0, 10, 20],
      [11, 12, 23],
    ]);
  });

  test("a table has every time once and every value in its place", () => {
    const data = table([
      [
        [0, 10],
        [1, 2],
      ],
      [
        [5, 10],
        [7, 8],
      ],
    ]);
    expect(Array.from(data[0]!)).toEqual([0, 5, 10]);
    expect(data[1]![2]).toBe(2);
    expect(data[2]![1]).toBe(7);
  });

  test("the window follows the moment, and the question to the node holds it with room to spare", () => {
    for (const span of [6 * HOUR, 24 * HOUR, 14 * 24 * HOUR]) {
      const window = windowOf({ zoom: null, moment: null, liveTime: 5e11, span })!;
      const [from, to] = questionFor(window);
      expect(window[0]).toBe(5e11 - span);
      expect(from).toBeLessThan(window[0]);
      expect(to).toBeGreaterThan(window[1]);
      expect(to - from).toBeLessThan(2 * (window[1] - window[0]));
    }
    expect(windowOf({ zoom: [1, 2], moment: 7, liveTime: 9, span: 3 })).toEqual([1, 2]);
    expect(windowOf({ zoom: null, moment: null, liveTime: null, span: 3 })).toBeNull();
  });

  test("searching times agrees with a plain count", () => {
    const t = [1, 3, 3, 8, 13];
    for (let at = 0; at < 15; at += 1) expect(after(t, at)).toBe(t.filter((one) => one <= at).length);
  });
});

describe("readings that are not good", () => {
  test("are found with their place and reason, of the answer and of what the feed brought since", () => {
    forget();
    remember("p.x", 2, 7, null);
    remember("p.x", 3, 9000, null);
    doubt("p.x", 3, "bad", "range: 9000 is above 10");
    doubt("p.x", 4, "bad", "no such reading");
    doubt("q.x", 3, "bad", "no such series");
    const asked = { t: [0, 1], v: [1, null], std: null, quality: ["suspect", "bad"], why: ["rate", "gap"] } as const;
    expect(doubts(continued("p.x", asked), undefined)).toEqual([
      { t: 0, v: 1, quality: "suspect", why: "rate" },
      { t: 3, v: 9000, quality: "bad", why: "range: 9000 is above 10" },
    ]);
    forget();
  });
});
