/** One property as a number: what is believed with its deviation, else what was measured. */
import { digitsFor, type Shown, unitText } from "../state/plant.ts";
import type { Samples } from "../state/store.ts";
import { number } from "../text/format.ts";

export function Value({ property, samples, unit }: { property: Shown; samples: Samples; unit: string | null }) {
  const believed = property.estimated === null ? undefined : samples[property.estimated];
  const read = property.measured === null ? undefined : samples[property.measured];
  const sample = read ?? believed;
  if (!sample) return <span>–</span>;
  const std = sample === believed ? sample.std : null;
  const digits = digitsFor(sample.v, std);
  return (
    <span className={sample === believed ? "value is-estimated" : "value"}>
      {number(sample.v, digits)}
      {std !== null && <span className="std">± {number(std, digits)}</span>}
      {unitText(unit) && <small>{unitText(unit)}</small>}
    </span>
  );
}
