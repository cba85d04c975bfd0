/** The node's HTTP API, typed in one place: nothing else in the page knows an address or a JSON shape. */

export interface SpaceInfo {
  readonly name: string;
  readonly size: number;
  readonly root: string;
  readonly version: string;
  readonly who: string;
  /** The stretch of data time in the space, if there is any yet. */
  readonly first_ms: number | null;
  readonly last_ms: number | null;
}

/** A twin as JSON: its properties beside `$dtId`, `$etag` and `$metadata`. */
export interface Twin {
  readonly $dtId: string;
  readonly $etag: string;
  readonly $metadata: { readonly $model: string };
  readonly [property: string]: unknown;
}

export interface Relationship {
  readonly $relationshipId: string;
  readonly $sourceId: string;
  readonly $targetId: string;
  readonly $relationshipName: string;
}

/** What a type says of one of its properties; unit: DTDL's word for it. */
export interface Content {
  readonly label: string;
  readonly unit: string | null;
}

/** One series over time: milliseconds since 1970, values in the property's unit, one standard deviation. */
export interface Columns {
  readonly t: readonly number[];
  readonly v: readonly (number | null)[];
  readonly std: readonly (number | null)[] | null;
  /** What is thought of each sample, and why if it is not good; there if it was asked for. */
  readonly quality?: readonly Quality[];
  readonly why?: readonly (string | null)[];
}

export type Quality = "good" | "suspect" | "bad";

/** Readings of which a check said that they are not good. */
export interface Marks {
  readonly index: number;
  readonly items: readonly {
    readonly series: string;
    readonly t: number;
    readonly v: number | null;
    readonly quality: Quality;
    readonly why: readonly string[];
  }[];
}

export interface Forecast {
  readonly issued_ms: number;
  readonly t: readonly number[];
  readonly v: readonly (number | null)[];
}

export interface Alarm {
  readonly id: string;
  readonly twin: string;
  readonly name: string;
  readonly severity: "warning" | "critical";
  readonly text: string;
  readonly since_ms: number;
  readonly until_ms: number | null;
  readonly cost_kwh: number | null;
  /** What noticed and explains it, where that is known. */
  readonly why: Why | null;
}

export interface Why {
  readonly by?: string;
  readonly about?: string;
  readonly sensors?: { readonly faulty: string | null; readonly sentence: string } | null;
}

/** Samples of many series as parallel columns; `which` points into `series`. */
export interface Block {
  readonly kind: "measured" | "estimated";
  readonly index: number;
  readonly series: readonly string[];
  readonly which: readonly number[];
  readonly t: readonly number[];
  readonly v: readonly (number | null)[];
  readonly std: readonly (number | null)[] | null;
}

export interface LogEntry {
  readonly index: number;
  readonly kind: string;
  readonly subject: string;
  readonly by: string | null;
  readonly author: string;
  readonly at_ms: number;
  readonly body?: unknown;
}

/** One frame of the log: entries `first` up to but not including `next`, of a log of `size`. */
export interface FeedFrame {
  readonly first: number;
  readonly next: number;
  readonly size: number;
  readonly blocks: readonly Block[];
  readonly entries: readonly LogEntry[];
  readonly marks: readonly Marks[];
}

/** What the node answered instead of what was asked, in its own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Address of the node: where the page came from. `base` ends without a slash. */
export const base = `${location.origin}${location.pathname.replace(/\/[^/]*$/, "")}`;
export const socketBase = base.replace(/^http/, "ws");

async function request(path: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(`${base}${path}`, init);
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => null)) as { error?: { code?: string; message?: string } } | null;
  const error = said?.error;
  throw new ApiError(
    answer.status,
    error?.code ?? "Error",
    error?.message ?? `${path}: the node answered ${answer.status}`,
  );
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request(path, signal ? { signal } : undefined)).json()) as T;
}

const many = (series: readonly string[]): string =>
  series.map((name) => `series=${encodeURIComponent(name)}`).join("&");

export const getSpace = (): Promise<SpaceInfo> => get("/api/space");

export const getTwins = (): Promise<{ size: number; twins: Twin[]; relationships: Relationship[] }> =>
  get("/api/twins");

export const getTwin = (id: string): Promise<Twin> => get(`/api/twins/${encodeURIComponent(id)}`);

interface Interface {
  readonly extends?: string | readonly string[];
  readonly contents?: readonly { readonly name?: string; readonly unit?: string; readonly displayName?: unknown }[];
}

const worded = (text: unknown): string | null => {
  if (typeof text === "string") return text;
  const [first] = text && typeof text === "object" ? Object.values(text) : [];
  return typeof first === "string" ? first : null;
};

/** The properties of a type and of what it extends, by name. */
export async function getContents(model: string): Promise<Record<string, Content>> {
  const query = "api-version=2023-10-31&includeModelDefinition=true";
  const { model: told } = await get<{ model?: Interface }>(`/models/${encodeURIComponent(model)}?${query}`);
  const above = typeof told?.extends === "string" ? [told.extends] : (told?.extends ?? []);
  const found: Record<string, Content> = {};
  for (const other of above) Object.assign(found, await getContents(other));
  for (const { name, unit, displayName } of told?.contents ?? [])
    if (name) found[name] = { label: worded(displayName) ?? name, unit: typeof unit === "string" ? unit : null };
  return found;
}

export const getLast = (): Promise<{ size: number; series: Record<string, [number, number, number | null]> }> =>
  get("/api/last");

export async function getHistory(
  series: readonly string[],
  from: number,
  to: number,
  points: number,
  signal?: AbortSignal,
): Promise<Record<string, Columns>> {
  if (series.length === 0) return {};
  const range = `from=${Math.floor(from)}&to=${Math.ceil(to)}&points=${Math.round(points)}&quality=1`;
  return (await get<{ series: Record<string, Columns> }>(`/api/history?${many(series)}&${range}`, signal)).series;
}

export async function getForecast(series: readonly string[], signal?: AbortSignal): Promise<Record<string, Forecast>> {
  if (series.length === 0) return {};
  return (await get<{ series: Record<string, Forecast> }>(`/api/forecast?${many(series)}`, signal)).series;
}

export const getAlarms = async (): Promise<Alarm[]> => (await get<{ alarms: Alarm[] }>("/api/alarms?limit=500")).alarms;

export const getCheckpoint = async (): Promise<string> => (await request("/api/log/checkpoint")).text();

/** The node's verifier key for its checkpoints, as C2SP writes it. */
export const getKey = async (): Promise<string> => (await request("/api/log/key")).text();

/** Hashes, in base64, that prove the log of `to` entries to continue the log of `from` entries. */
export const getConsistency = async (from: number, to: number): Promise<string[]> =>
  (await get<{ path: string[] }>(`/api/log/consistency?from=${from}&to=${to}`)).path;

/** Sets one property; with an `etag` only if nobody changed the twin since (409 or 412 else). */
export async function patchTwin(id: string, etag: string | null, property: string, value: unknown): Promise<void> {
  await request(`/api/twins/${encodeURIComponent(id)}`, {
    method: "PATCH",
    headers: { "content-type": "application/json-patch+json", ...(etag ? { "if-match": etag } : {}) },
    body: JSON.stringify([{ op: "add", path: `/${property}`, value }]),
  });
}
