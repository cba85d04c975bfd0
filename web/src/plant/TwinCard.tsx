/** One twin in a few numbers and the shape of its first; a click chooses it. */
import type { Columns, Twin } from "../api/api.ts";
import { select } from "../state/choose.ts";
import { nameOf, type Shown } from "../state/plant.ts";
import { shown, useStore } from "../state/store.ts";
import { useContents } from "./contents.ts";
import { Sparkline } from "./Sparkline.tsx";
import { Value } from "./Value.tsx";

const FEW = 5;

export interface TwinCardProps {
  readonly twin: Twin;
  readonly properties: readonly Shown[];
  readonly alarmed: boolean;
  readonly columns: Columns | undefined;
  readonly window: readonly [number, number] | null;
}

export function TwinCard({ twin, properties, alarmed, columns, window }: TwinCardProps) {
  const samples = useStore(shown);
  const chosen = useStore((state) => state.selected === twin.$dtId);
  const contents = useContents(twin.$metadata.$model);
  const facts = properties.slice(0, FEW);
  return (
    <button
      type="button"
      className={`card twin${alarmed ? " is-alarm" : properties.length === 0 ? " is-silent" : ""}`}
      aria-pressed={chosen}
      data-testid={`twin-card-${twin.$dtId}`}
      onClick={() => select(twin.$dtId)}
    >
      <span className="card-head">
        <i className="dot" />
        <b>{nameOf(twin)}</b>
        {alarmed && <span className="chip">Alarm</span>}
      </span>
      <Sparkline columns={columns} window={window} />
      <span className="card-facts">
        {facts.length === 0 && <small>Nothing has come yet.</small>}
        {facts.map((property) => (
          <span key={property.name}>
            <small>{contents[property.name]?.label ?? property.name}</small>
            <Value property={property} samples={samples} unit={contents[property.name]?.unit ?? null} />
          </span>
        ))}
        {properties.length > FEW && <small>and {properties.length - FEW} more</small>}
      </span>
    </button>
  );
}
