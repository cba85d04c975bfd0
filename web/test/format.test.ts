import { describe, expect, test } from "vitest";
import * as format from "../src/text/format.ts";

const thin = "\u202f";

describe("numbers", () => {
  test("thousands are parted by thin spaces and a minus is a minus", () => {
    expect(format.number(12345.6)).toBe(`12${thin}346`);
    expect(format.number(-3.25, 1)).toBe("−3.3");
  });

  test("nothing reads minus zero", () => {
    expect(format.number(-0.04, 1)).toBe("0.0");
    expect(format.number(-0)).toBe("0");
  });

  test("what is not there is a dash", () => {
    for (const nothing of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY])
      expect(format.number(nothing)).toBe("–");
  });

  test("power and energy choose their unit", () => {
    expect(format.power(999)).toEqual({ text: "999", unit: "kW" });
    expect(format.power(2050)).toEqual({ text: "2.05", unit: "MW" });
    expect(format.energy(9_999)).toEqual({ text: `9${thin}999`, unit: "kWh" });
    expect(format.energy(445_100)).toEqual({ text: "445.1", unit: "MWh" });
    expect(format.energy(13.5e6)).toEqual({ text: "13.50", unit: "GWh" });
  });
});

describe("time", () => {
  const at = Date.UTC(2015, 1, 2, 9, 5);

  test("is told in UTC, wherever the reader sits", () => {
    expect(format.clock(at)).toBe("09:05");
    expect(format.day(at)).toBe("2 Feb 2015");
    expect(format.moment(at)).toBe("2 Feb 09:05");
  });

  test("lengths name their two largest units", () => {
    expect(format.duration(0)).toBe("0 s");
    expect(format.duration(40 * 60_000)).toBe("40 min");
    expect(format.duration((3 * 24 + 4) * 3_600_000 + 60_000)).toBe("3 d 4 h");
    expect(format.duration(5 * 3_600_000 + 20 * 60_000)).toBe("5 h 20 min");
  });

  test("a pace is told as data time per second", () => {
    expect(format.pace(1)).toBe("1×");
    expect(format.pace(600)).toBe("10 min/s");
    expect(format.pace(21600)).toBe("6 h/s");
  });
});

test("headings have names", () => {
  expect(format.heading(0)).toBe("0° N");
  expect(format.heading(247)).toBe("247° WSW");
  expect(format.heading(-90)).toBe("270° W");
});
