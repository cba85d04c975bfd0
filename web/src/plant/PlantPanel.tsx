/** The space as a whole: how much is in it, and what is wrong. */
import { allSpans } from "../charts/window.ts";
import { AlarmList } from "../panels/AlarmList.tsx";
import { SpanPicker } from "../panels/SpanPicker.tsx";
import { kindsOf } from "../state/plant.ts";
import { useStore } from "../state/store.ts";
import { number } from "../text/format.ts";

export function PlantPanel() {
  const name = useStore((state) => state.space?.name ?? "");
  const twins = useStore((state) => state.twins);
  const relationships = useStore((state) => state.relationships.length);
  const series = useStore((state) => Object.keys(state.last).length);
  return (
    <div className="panel-body">
      <header className="panel-head">
        <h2>{name}</h2>
        <SpanPicker choices={allSpans} />
      </header>
      <section className="facts">
        <dl>
          {[
            ["Twins", twins.length],
            ["Types", kindsOf(twins).length],
            ["Relationships", relationships],
            ["Series", series],
          ].map(([what, count]) => (
            <div key={what}>
              <dt>{what}</dt>
              <dd>{number(Number(count))}</dd>
            </div>
          ))}
        </dl>
      </section>
      <AlarmList />
    </div>
  );
}
