import { describe, expect, test } from "vitest";
import { bladePitch, centre, toLocal, turn } from "../src/geo/layout.ts";
import { sunPosition } from "../src/geo/sun.ts";

const hauteBorne = { latitude: 48.4503, longitude: 5.5869 };

/** Distance by the haversine formula on a sphere: another way to the same metres, good to half a percent. */
function haversine(a: typeof hauteBorne, b: typeof hauteBorne): number {
  const rad = Math.PI / 180;
  const h =
    Math.sin(((b.latitude - a.latitude) * rad) / 2) ** 2 +
    Math.cos(a.latitude * rad) * Math.cos(b.latitude * rad) * Math.sin(((b.longitude - a.longitude) * rad) / 2) ** 2;
  return 2 * 6371008.8 * Math.asin(Math.sqrt(h));
}

describe("layout", () => {
  test("the centre of the layout is its origin", () => {
    expect(toLocal(hauteBorne, hauteBorne)).toEqual({ east: 0, north: 0 });
  });

  test("distances agree with the great circle to half a percent, in every direction", () => {
    for (let angle = 0; angle < 360; angle += 15) {
      const there = {
        latitude: hauteBorne.latitude + 0.01 * Math.cos(angle),
        longitude: hauteBorne.longitude + 0.015 * Math.sin(angle),
      };
      const { east, north } = toLocal(there, hauteBorne);
      const far = haversine(hauteBorne, there);
      expect(Math.abs(Math.hypot(east, north) - far) / far).toBeLessThan(0.005);
    }
  });

  test("a minute of latitude is a nautical mile, and east is positive", () => {
    const { east, north } = toLocal({ latitude: 48.4503 + 1 / 60, longitude: 5.6 }, hauteBorne);
    expect(north).toBeGreaterThan(1848);
    expect(north).toBeLessThan(1857);
    expect(east).toBeGreaterThan(0);
  });

  test("the centre lies in the middle of the bounding box", () => {
    expect(
      centre([
        { latitude: 48, longitude: 5 },
        { latitude: 49, longitude: 7 },
        { latitude: 48.2, longitude: 6.9 },
      ]),
    ).toEqual({ latitude: 48.5, longitude: 6 });
  });
});

describe("angles", () => {
  test("a turn is the short way round", () => {
    expect(turn(350, 10)).toBe(20);
    expect(turn(10, 350)).toBe(-20);
    expect(turn(0, 180)).toBe(-180);
    expect(turn(720, 90)).toBe(90);
  });

  test("a recorded pitch that wrapped is one that a blade can have", () => {
    expect(bladePitch(-0.99)).toBeCloseTo(-0.99);
    expect(bladePitch(89)).toBe(89);
    expect(bladePitch(262)).toBe(-5);
    expect(bladePitch(-271)).toBe(89);
  });
});

describe("sun", () => {
  // Worked example of Reda and Andreas, NREL/TP-560-34302: 2003-10-17 12:30:30 in Golden, Colorado (UTC-7).
  test("agrees with NREL's solar position algorithm", () => {
    const { elevation, azimuth } = sunPosition(Date.UTC(2003, 9, 17, 19, 30, 30), 39.742476, -105.1786);
    expect(Math.abs(elevation - 39.872)).toBeLessThan(0.03);
    expect(Math.abs(azimuth - 194.34)).toBeLessThan(0.03);
  });

  test("culminates in the south at 90 degrees less latitude plus declination", () => {
    const noon = Array.from({ length: 1440 }, (_, m) => sunPosition(Date.UTC(2015, 5, 21) + m * 60_000, 48.45, 5.59));
    const highest = noon.reduce((a, b) => (b.elevation > a.elevation ? b : a));
    expect(highest.elevation).toBeCloseTo(90 - 48.45 + 23.44, 1);
    expect(Math.abs(highest.azimuth - 180)).toBeLessThan(0.5);
  });

  test("stands below the horizon at midnight", () => {
    expect(sunPosition(Date.UTC(2014, 11, 16, 0), 48.45, 5.59).elevation).toBeLessThan(-50);
  });
});
