import { describe, expect, it } from "vitest";
import { spanFor } from "../src/charts/window.ts";
import { digitsFor, isFarm, kindsOf, shortModel, shownOf, unitText } from "../src/state/plant.ts";

const twin = ($dtId: string, $model: string) => ({ $dtId, $etag: "", $metadata: { $model } });

describe("a space that is no farm", () => {
  it("groups twins by type, in the order in which people count", () => {
    const twins = [twin("t10", "dtmi:p:Tank;1"), twin("t2", "dtmi:p:Tank;1"), twin("a", "dtmi:p:Pump;2")];
    expect(kindsOf(twins).map(({ name, twins }) => [name, twins.map(({ $dtId }) => $dtId)])).toEqual([
      ["Pump", ["a"]],
      ["Tank", ["t2", "t10"]],
    ]);
    expect(isFarm(twins)).toBe(false);
    expect(isFarm([...twins, twin("w", "dtmi:ectype:WindTurbine;1")])).toBe(true);
  });

  it("puts what was measured and what is believed of one property together", () => {
    const shown = shownOf(["t.level", "t.h2@estimated", "t.level@estimated", "t.level@predicted", "u.part.speed"]);
    expect(shown.get("t")).toEqual([
      { name: "level", measured: "t.level", estimated: "t.level@estimated" },
      { name: "h2", measured: null, estimated: "t.h2@estimated" },
    ]);
    expect(
      shownOf(["t.nis@estimated", "t.z@estimated"])
        .get("t")
        ?.map(({ name }) => name),
    ).toEqual(["z", "nis"]);
    expect(shown.get("u")).toEqual([{ name: "part.speed", measured: "u.part.speed", estimated: null }]);
  });

  it("tells a value to four digits, and one that is not sure as far as it is sure", () => {
    expect([1234.5, 12.345, 0.0012345, 0].map((value) => digitsFor(value))).toEqual([0, 2, 6, 0]);
    expect(digitsFor(1234.5, 0.31)).toBe(2);
    expect(digitsFor(1234.5, 31)).toBe(0);
  });

  it("names types and units shortly", () => {
    expect([shortModel("dtmi:a:b:Tank;3"), unitText("degreeCelsius"), unitText("furlong"), unitText(null)]).toEqual([
      "Tank",
      "°C",
      "furlong",
      "",
    ]);
  });

  it("begins with the shortest span that shows the record", () => {
    expect([5_000, 3_599_000, 40 * 86_400_000].map(spanFor)).toEqual([60_000, 3_600_000, 86_400_000]);
  });
});
