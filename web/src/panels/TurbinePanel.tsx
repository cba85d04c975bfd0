/** The chosen turbine: what is measured, what is believed, its strips, its note, its alarms. */
import { lazy, Suspense } from "react";
import { select } from "../state/choose.ts";
import { conditionOf, conditionText, farmOf, type Turbine } from "../state/farm.ts";
import { shown, useStore } from "../state/store.ts";
import { energy, euros, heading, number } from "../text/format.ts";
import { AlarmList } from "./AlarmList.tsx";
import { SpanPicker } from "./SpanPicker.tsx";
import { TurbineCharts } from "./TurbineCharts.tsx";

const Note = lazy(() => import("../notes/Note.tsx"));

interface Fact {
  readonly name: string;
  readonly series: string;
  readonly unit: string;
  readonly digits: number;
  readonly text?: (value: number) => string;
}

const measured: readonly Fact[] = [
  { name: "Power", series: "power", unit: "kW", digits: 0 },
  { name: "Anemometer", series: "windSpeed", unit: "m/s", digits: 1 },
  { name: "Wind from", series: "windDirection", unit: "", digits: 0, text: heading },
  { name: "Nacelle", series: "nacelle", unit: "", digits: 0, text: heading },
  { name: "Pitch", series: "pitch", unit: "°", digits: 1 },
  { name: "Outside", series: "temperature", unit: "°C", digits: 1 },
];

const estimated: readonly Fact[] = [
  { name: "Expected power", series: "expectedPower@estimated", unit: "kW", digits: 0 },
  { name: "Rotor-effective wind", series: "rotorWindSpeed@estimated", unit: "m/s", digits: 1 },
  { name: "Performance", series: "performance@estimated", unit: "", digits: 3 },
  { name: "Yaw misalignment", series: "yawMisalignment@estimated", unit: "°", digits: 1 },
  { name: "Rotor speed", series: "rotorSpeed@estimated", unit: "rpm", digits: 1 },
  { name: "Air density", series: "airDensity@estimated", unit: "kg/m³", digits: 3 },
];

function Facts({ id, facts, kind, title }: { id: string; facts: readonly Fact[]; kind: string; title: string }) {
  const samples = useStore(shown);
  return (
    <section className={`facts is-${kind}`}>
      <h3>{title}</h3>
      <dl>
        {facts.map((fact) => {
          const sample = samples[`${id}.${fact.series}`];
          return (
            <div key={fact.name}>
              <dt>{fact.name}</dt>
              <dd>
                {sample && fact.text ? fact.text(sample.v) : number(sample?.v, fact.digits)}
                {sample?.std !== null && sample !== undefined && (
                  <span className="std">± {number(sample.std, fact.digits)}</span>
                )}
                <small>{fact.unit}</small>
              </dd>
            </div>
          );
        })}
      </dl>
    </section>
  );
}

export function TurbinePanel({ turbine }: { turbine: Turbine }) {
  const how = useStore((state) => conditionOf(turbine.id, state));
  const price = useStore((state) => Number(farmOf(state.twins)?.electricityPrice ?? 0));
  const produced = useStore((state) => shown(state)[`${turbine.id}.producedEnergy@estimated`]?.v);
  const lost = useStore((state) => shown(state)[`${turbine.id}.lostEnergy@estimated`]?.v);
  const made = energy(produced);
  const gone = energy(lost);
  return (
    <div className="panel-body">
      <header className="panel-head">
        <button
          type="button"
          className="back"
          onClick={() => select(null)}
          aria-label="Back to the farm"
          title="Back to the farm (Esc)"
        >
          ←
        </button>
        <h2>{turbine.name}</h2>
        <span className={`chip is-${how}`}>{conditionText[how]}</span>
        <p>
          {turbine.maker} · {number(turbine.ratedPower)} kW · hub {number(turbine.hubHeight)} m · rotor{" "}
          {number(turbine.rotorDiameter)} m
        </p>
      </header>
      <div className="fact-pair">
        <Facts id={turbine.id} facts={measured} kind="measured" title="Measured" />
        <Facts id={turbine.id} facts={estimated} kind="estimated" title="Estimated, ± σ" />
      </div>
      <p className="ledger">
        <span>
          Produced <b>{made.text}</b> {made.unit}
        </span>
        <span className="is-lost">
          Lost while stopped <b>{gone.text}</b> {gone.unit} · {euros(lost === undefined ? null : (lost / 1000) * price)}
        </span>
      </p>
      <div className="strip-head">
        <h3>Strips</h3>
        <SpanPicker />
      </div>
      <TurbineCharts turbine={turbine} />
      <Suspense fallback={<section className="note is-loading" />}>
        <Note key={turbine.id} id={turbine.id} name={turbine.name} />
      </Suspense>
      <AlarmList twin={turbine.id} />
    </div>
  );
}
