/** What a space holds that is no wind farm: its twins by type, and what is measured, believed and expected of each. */
import type { Twin } from "../api/api.ts";
import { turbines } from "./farm.ts";
import type { Samples } from "./store.ts";

/** One property of a twin: the series that say something about it. */
export interface Shown {
  readonly name: string;
  readonly measured: string | null;
  readonly estimated: string | null;
}

export interface Kind {
  readonly model: string;
  readonly name: string;
  readonly twins: readonly Twin[];
}

/** Whether the page shows the wind farm's scene, or twins as they come. */
export const isFarm = (twins: readonly Twin[]): boolean => turbines(twins).length > 0;

/** "Tank" of "dtmi:demo:Tank;1". */
export const shortModel = (model: string): string =>
  model
    .replace(/;\d+(\.\d+)?$/, "")
    .split(":")
    .pop() ?? model;

export const nameOf = (twin: Twin): string => (typeof twin.name === "string" && twin.name ? twin.name : twin.$dtId);

/** What is said about an estimate itself, and of no property: told last, in words of its own. */
export const aboutTwin: Readonly<Record<string, { readonly label: string; readonly unit: string | null }>> = {
  nis: { label: "surprise of the last readings (1 is right)", unit: null },
  indistinguishable: { label: "not told from its original for", unit: "d" },
  indistinguishableReadings: { label: "the same in readings", unit: null },
};

const byId = (a: Twin, b: Twin): number => a.$dtId.localeCompare(b.$dtId, "en", { numeric: true });

/** The twins by type, types by name, twins by id. */
export function kindsOf(twins: readonly Twin[]): readonly Kind[] {
  const groups = new Map<string, Twin[]>();
  for (const twin of twins) {
    const model = twin.$metadata.$model;
    const group = groups.get(model);
    if (group) group.push(twin);
    else groups.set(model, [twin]);
  }
  return [...groups]
    .map(([model, members]) => ({ model, name: shortModel(model), twins: members.sort(byId) }))
    .sort((a, b) => a.name.localeCompare(b.name, "en"));
}

/** What is known about each twin, by twin, in the order of names; measured properties first, what is about it last. */
export function shownOf(series: Iterable<string>): ReadonlyMap<string, readonly Shown[]> {
  const found = new Map<string, Map<string, { measured: string | null; estimated: string | null }>>();
  for (const id of series) {
    const [plain, facet] = id.split("@") as [string, string | undefined];
    const dot = plain.indexOf(".");
    if (dot < 1 || (facet !== undefined && facet !== "estimated")) continue;
    const twin = plain.slice(0, dot);
    const name = plain.slice(dot + 1);
    const properties = found.get(twin) ?? new Map();
    found.set(twin, properties);
    const property = properties.get(name) ?? { measured: null, estimated: null };
    properties.set(name, property);
    property[facet ? "estimated" : "measured"] = id;
  }
  const made = new Map<string, readonly Shown[]>();
  for (const [twin, properties] of found) {
    const all = [...properties].map(([name, both]) => ({ name, ...both }));
    all.sort(
      (a, b) =>
        Number(a.name in aboutTwin) - Number(b.name in aboutTwin) ||
        Number(a.measured === null) - Number(b.measured === null) ||
        a.name.localeCompare(b.name, "en", { numeric: true }),
    );
    made.set(twin, all);
  }
  return made;
}

let names = "";
let known: ReadonlyMap<string, readonly Shown[]> = new Map();

/** The same of all series that have been seen; a new object only when there is a new series. */
export function shownIn(samples: Samples): ReadonlyMap<string, readonly Shown[]> {
  const all = Object.keys(samples).sort().join(" ");
  if (all !== names) {
    names = all;
    known = shownOf(all === "" ? [] : all.split(" "));
  }
  return known;
}

/** How many decimals tell a value to four digits, and a deviation to two. */
export function digitsFor(value: number, std: number | null = null): number {
  const size = std !== null && std > 0 ? std : Math.abs(value);
  const digits = std !== null && std > 0 ? 1 : 3;
  if (!(size > 0) || !Number.isFinite(size)) return 0;
  return Math.max(0, Math.min(8, digits - Math.floor(Math.log10(size))));
}

const symbols: Readonly<Record<string, string>> = {
  degreeCelsius: "°C",
  kelvin: "K",
  metre: "m",
  centimetre: "cm",
  millimetre: "mm",
  micrometre: "µm",
  kilometre: "km",
  metrePerSecond: "m/s",
  metrePerSecondSquared: "m/s²",
  kilogram: "kg",
  gram: "g",
  second: "s",
  minute: "min",
  hour: "h",
  watt: "W",
  kilowatt: "kW",
  megawatt: "MW",
  kilowattHour: "kWh",
  joule: "J",
  volt: "V",
  ampere: "A",
  ohm: "Ω",
  hertz: "Hz",
  pascal: "Pa",
  kilopascal: "kPa",
  bar: "bar",
  litre: "l",
  litrePerSecond: "l/s",
  litrePerHour: "l/h",
  cubicMetre: "m³",
  cubicMetrePerHour: "m³/h",
  percent: "%",
  revolutionPerMinute: "rpm",
  degreeOfArc: "°",
  radian: "rad",
  newton: "N",
  newtonMetre: "N m",
  lux: "lx",
  unity: "",
};

export const unitText = (unit: string | null): string => (unit === null ? "" : (symbols[unit] ?? unit));
