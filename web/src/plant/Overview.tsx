/** All twins of a space, by type, as cards; a few letters find one among many. */
import { useMemo, useState } from "react";
import { useBeat, useHistories, useWindow } from "../charts/query.ts";
import { activeAlarms } from "../state/farm.ts";
import { kindsOf, nameOf, shownIn } from "../state/plant.ts";
import { useStore } from "../state/store.ts";
import { number } from "../text/format.ts";
import { Beginning } from "./Beginning.tsx";
import { TwinCard } from "./TwinCard.tsx";

const MOST = 120;
const POINTS = 100;

export function Overview() {
  const twins = useStore((state) => state.twins);
  const samples = useStore((state) => state.last);
  const known = useStore((state) => state.space !== null);
  const alarmed = useStore((state) =>
    activeAlarms(state)
      .map(({ twin }) => twin)
      .sort()
      .join(" "),
  );
  const [wanted, setWanted] = useState("");
  const found = useMemo(() => {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    return twins.filter((twin) => {
      const text = `${twin.$dtId} ${nameOf(twin)} ${twin.$metadata.$model}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }, [twins, wanted]);
  const properties = shownIn(samples);
  const kinds = useMemo(() => {
    let room = MOST;
    return kindsOf(found).map((kind) => {
      const shown = kind.twins.slice(0, room);
      room -= shown.length;
      return { ...kind, shown };
    });
  }, [found]);
  const first = kinds.flatMap(({ shown }) =>
    shown.map(({ $dtId }) => properties.get($dtId)?.[0]).map((p) => p?.measured ?? p?.estimated ?? null),
  );
  const beat = useBeat(1000);
  const span = useWindow(beat);
  const histories = useHistories(
    first.filter((name): name is string => name !== null),
    span,
    POINTS,
    beat,
  );
  const wrong = new Set(alarmed.split(" "));
  if (known && twins.length === 0) return <Beginning />;
  return (
    <div className="overview" data-testid="overview">
      <header className="overview-head">
        <input
          type="search"
          placeholder={`Find among ${number(twins.length)} twins`}
          aria-label="Find a twin by name, id or type"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
        {wanted && <small>{number(found.length)} found</small>}
      </header>
      {kinds.map((kind) => (
        <section key={kind.model} aria-label={kind.name}>
          <h2>
            {kind.name} <small title={kind.model}>{number(kind.twins.length)}</small>
          </h2>
          <div className="cards">
            {kind.shown.map((twin) => {
              const all = properties.get(twin.$dtId) ?? [];
              const name = all[0]?.measured ?? all[0]?.estimated;
              return (
                <TwinCard
                  key={twin.$dtId}
                  twin={twin}
                  properties={all}
                  alarmed={wrong.has(twin.$dtId)}
                  columns={name ? histories[name] : undefined}
                  window={span}
                />
              );
            })}
          </div>
          {kind.shown.length < kind.twins.length && (
            <small>{number(kind.twins.length - kind.shown.length)} more; a few letters above find them.</small>
          )}
        </section>
      ))}
    </div>
  );
}
