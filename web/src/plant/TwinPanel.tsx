/** The chosen twin: what is known of it now, its strips, its note, its alarms. */
import { lazy, Suspense, useRef, useState } from "react";
import type { Twin } from "../api/api.ts";
import { useBeat, useForecasts, useHistories, useWindow } from "../charts/query.ts";
import { allSpans } from "../charts/window.ts";
import { AlarmList } from "../panels/AlarmList.tsx";
import { useAlarmSpans } from "../panels/alarmSpans.ts";
import { SpanPicker } from "../panels/SpanPicker.tsx";
import { useWidth } from "../panels/useWidth.ts";
import { select } from "../state/choose.ts";
import { nameOf, shownIn } from "../state/plant.ts";
import { shown, useStore } from "../state/store.ts";
import { useContents } from "./contents.ts";
import { PropertyStrip } from "./PropertyStrip.tsx";
import { Value } from "./Value.tsx";

const Note = lazy(() => import("../notes/Note.tsx"));
const FEW = 8;

/** Properties that somebody set, as text. */
function settings(twin: Twin): readonly (readonly [string, string])[] {
  return Object.entries(twin)
    .filter(([name, value]) => !name.startsWith("$") && (typeof value !== "object" || value === null))
    .map(([name, value]) => [name, String(value)] as const);
}

export function TwinPanel({ twin }: { twin: Twin }) {
  const id = twin.$dtId;
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const [all, setAll] = useState(false);
  const contents = useContents(twin.$metadata.$model);
  const samples = useStore(shown);
  const properties = useStore((state) => shownIn(state.last).get(id)) ?? [];
  const drawn = all ? properties : properties.slice(0, FEW);
  const beat = useBeat(350);
  const span = useWindow(beat);
  const histories = useHistories(
    drawn.flatMap(({ measured, estimated }) => [measured, estimated].filter((name) => name !== null)),
    span,
    width,
    beat,
  );
  const forecasts = useForecasts(
    drawn.flatMap(({ name }) => ["P05", "", "P95"].map((part) => `${id}.${name}${part}@predicted`)),
    beat,
  );
  const alarms = useAlarmSpans(id);
  return (
    <div className="panel-body" ref={holder} data-testid="twin-panel">
      <header className="panel-head">
        <button
          type="button"
          className="back"
          onClick={() => select(null)}
          aria-label="Back to all twins"
          title="Back to all twins (Esc)"
        >
          ←
        </button>
        <h2>{nameOf(twin)}</h2>
        <p>{twin.$metadata.$model}</p>
      </header>
      <section className="facts">
        <h3>Now</h3>
        <dl>
          {properties.map((property) => (
            <div key={property.name}>
              <dt>{contents[property.name]?.label ?? property.name}</dt>
              <dd>
                <Value property={property} samples={samples} unit={contents[property.name]?.unit ?? null} />
              </dd>
            </div>
          ))}
          {settings(twin).map(([name, value]) => (
            <div key={`set ${name}`}>
              <dt>{contents[name]?.label ?? name}</dt>
              <dd className="is-set">{value}</dd>
            </div>
          ))}
        </dl>
      </section>
      <div className="strip-head">
        <h3>Over time</h3>
        <SpanPicker choices={allSpans} />
      </div>
      <div className="charts">
        {drawn.map((property) => (
          <PropertyStrip
            key={`${id}.${property.name}`}
            property={property}
            content={contents[property.name]}
            measured={property.measured === null ? undefined : histories[property.measured]}
            estimated={property.estimated === null ? undefined : histories[property.estimated]}
            expected={["P05", "", "P95"].map((part) => forecasts[`${id}.${property.name}${part}@predicted`])}
            window={span}
            alarms={alarms}
          />
        ))}
      </div>
      {properties.length > FEW && (
        <button type="button" className="quiet" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${properties.length}`}
        </button>
      )}
      <Suspense fallback={<section className="note is-loading" />}>
        <Note key={id} id={id} name={nameOf(twin)} />
      </Suspense>
      <AlarmList twin={id} />
    </div>
  );
}
