/** Numbers and instants as people read them. Data time is always UTC and says so once, in the top bar. */

const dash = "–";

const fixed = new Map<number, Intl.NumberFormat>();
function formatter(digits: number): Intl.NumberFormat {
  let made = fixed.get(digits);
  if (!made) {
    made = new Intl.NumberFormat("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    fixed.set(digits, made);
  }
  return made;
}

/** `value` with `digits` decimals and thin thousands; a dash when there is none. Never "-0". */
export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return dash;
  const text = formatter(digits).format(value).replaceAll(",", "\u202f");
  return /^-[0.\u202f]*$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

export interface Quantity {
  readonly text: string;
  readonly unit: string;
}

/** Power in kW below 1 MW, else in MW. */
export function power(kw: number | null | undefined): Quantity {
  if (kw === null || kw === undefined || !Number.isFinite(kw)) return { text: dash, unit: "kW" };
  return Math.abs(kw) < 1000 ? { text: number(kw), unit: "kW" } : { text: number(kw / 1000, 2), unit: "MW" };
}

/** Energy in kWh below 10 MWh, else in MWh or GWh. */
export function energy(kwh: number | null | undefined): Quantity {
  if (kwh === null || kwh === undefined || !Number.isFinite(kwh)) return { text: dash, unit: "kWh" };
  if (Math.abs(kwh) < 10_000) return { text: number(kwh), unit: "kWh" };
  if (Math.abs(kwh) < 10_000_000) return { text: number(kwh / 1000, 1), unit: "MWh" };
  return { text: number(kwh / 1e6, 2), unit: "GWh" };
}

export function euros(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return dash;
  return `${number(value, Math.abs(value) < 100 ? 2 : 0)} €`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number): string => String(value).padStart(2, "0");

/** "2 Feb 2015" */
export function day(at_ms: number): string {
  const d = new Date(at_ms);
  return `${d.getUTCDate()} ${months[d.getUTCMonth()]} ${d.getUTCFullYear()}`;
}

/** "2 Feb" */
export function dayMonth(at_ms: number): string {
  const d = new Date(at_ms);
  return `${d.getUTCDate()} ${months[d.getUTCMonth()]}`;
}

/** "09:10" */
export function clock(at_ms: number): string {
  const d = new Date(at_ms);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
}

/** "2 Feb 09:10" */
export const moment = (at_ms: number): string => `${dayMonth(at_ms)} ${clock(at_ms)}`;

/** A length of time in its two largest units: "3 d 4 h", "5 h 20 min", "40 min", "8 s". */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(s / 86400), "d"],
    [Math.floor(s / 3600) % 24, "h"],
    [Math.floor(s / 60) % 60, "min"],
    [s % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + (first === 2 ? 1 : 2))
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

/** How fast data time runs: 1 is real time, 600 is ten minutes a second. */
export function pace(speed: number): string {
  if (speed < 60) return `${number(speed, speed % 1 ? 1 : 0)}×`;
  const text = duration(speed * 1000);
  return `${text}/s`;
}

const winds = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"];

/** "236° SW": a heading in degrees from north. */
export function heading(degrees: number | null | undefined): string {
  if (degrees === null || degrees === undefined || !Number.isFinite(degrees)) return dash;
  const d = ((degrees % 360) + 360) % 360;
  return `${number(d)}° ${winds[Math.round(d / 22.5) % 16]}`;
}
