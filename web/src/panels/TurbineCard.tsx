/** One turbine in a few numbers; a click chooses it. */
import { select } from "../state/choose.ts";
import { conditionOf, conditionText, type Turbine } from "../state/farm.ts";
import { shown, useStore } from "../state/store.ts";
import { number, power } from "../text/format.ts";

export function TurbineCard({ turbine, ink }: { turbine: Turbine; ink: string }) {
  const samples = useStore(shown);
  const how = useStore((state) => conditionOf(turbine.id, state));
  const of = (name: string) => samples[`${turbine.id}.${name}`];
  const kw = of("power")?.v;
  const p = power(kw);
  const expected = of("expectedPower@estimated")?.v;
  const performance = of("performance@estimated");
  return (
    <button
      type="button"
      className={`card is-${how}`}
      data-testid={`turbine-card-${turbine.id}`}
      onClick={() => select(turbine.id)}
    >
      <span className="card-head">
        <i className="swatch" style={{ background: `var(--${ink})` }} />
        <b>{turbine.name}</b>
        <span className="chip">{conditionText[how]}</span>
      </span>
      <span className="card-power">
        {p.text}
        <small>{p.unit}</small>
      </span>
      <span className="bar" aria-hidden="true">
        <i style={{ width: `${Math.max(0, Math.min(100, ((kw ?? 0) / turbine.ratedPower) * 100))}%` }} />
        {expected !== undefined && <em style={{ left: `${Math.min(100, (expected / turbine.ratedPower) * 100)}%` }} />}
      </span>
      <span className="card-facts">
        <span>
          <small>wind</small> {number(of("windSpeed")?.v, 1)} m/s
        </span>
        <span>
          <small>expected</small> {number(expected)} kW
        </span>
        <span>
          <small>performance</small> {number(performance?.v, 2)}
          {performance?.std !== null && performance !== undefined && <small> ± {number(performance.std, 2)}</small>}
        </span>
        <span>
          <small>lost</small> {number(of("lostEnergy@estimated")?.v)} kWh
        </span>
      </span>
    </button>
  );
}
