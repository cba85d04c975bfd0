/** The whole farm: its power with the forecast, its turbines as cards, its alarms. */
import { useMemo, useRef } from "react";
import { useBeat, useForecasts, useHistories, useWindow } from "../charts/query.ts";
import { type Band, Strip, type Trace } from "../charts/Strip.tsx";
import { type Line, line, stack, table } from "../charts/table.ts";
import { turbines } from "../state/farm.ts";
import { useStore } from "../state/store.ts";
import { AlarmList } from "./AlarmList.tsx";
import { SpanPicker } from "./SpanPicker.tsx";
import { TurbineCard } from "./TurbineCard.tsx";
import { useWidth } from "./useWidth.ts";

const none = { t: [], v: [], std: null };

/** Sum of the forecasts of all turbines; quantiles are added up as if all turbines erred together, which is nearly so. */
function summed(parts: readonly { t: readonly number[]; v: readonly (number | null)[] }[]): Line {
  if (parts.length === 0 || parts.some((part) => part.t.length === 0)) return [[], []];
  const lines = stack(parts.map((part) => ({ ...part, std: null })));
  // Only where every turbine has a forecast is their sum the farm's.
  const from = Math.max(...parts.map((part) => part.t[0]!));
  const [t, v] = lines[lines.length - 1]!;
  return line({ t: t.filter((at) => at >= from), v: v.filter((_, i) => t[i]! >= from) });
}

export function FarmPanel() {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const twins = useStore((state) => state.twins);
  const fleet = turbines(twins);
  const beat = useBeat(350);
  const span = useWindow(beat);
  const histories = useHistories(
    fleet.map(({ id }) => `${id}.power`),
    span,
    width,
    beat,
  );
  const forecasts = useForecasts(
    fleet.flatMap(({ id }) => [`${id}.power@predicted`, `${id}.powerP05@predicted`, `${id}.powerP95@predicted`]),
    beat,
  );
  const traces = useMemo<readonly Trace[]>(
    () => [
      ...fleet.map((turbine, i) => ({ label: turbine.name, color: `stack-${(i % 4) + 1}`, width: 1 })),
      { label: "P95", color: "predicted", edge: true },
      { label: "P05", color: "predicted", edge: true },
      { label: "forecast", color: "predicted", dash: [5, 3] },
      { label: "zero", color: "ink", edge: true },
    ],
    [fleet],
  );
  const bands = useMemo<readonly Band[]>(() => {
    const n = fleet.length;
    const zero = n + 3;
    return [
      ...fleet.map((_, i) => ({
        between: [i, i === 0 ? zero : i - 1] as const,
        color: `stack-${(i % 4) + 1}`,
        opacity: 0.78,
      })),
      { between: [n, n + 1] as const, color: "predicted", opacity: 0.24 },
    ];
  }, [fleet]);
  const data = useMemo(() => {
    const edges = stack(fleet.map(({ id }) => histories[`${id}.power`] ?? none));
    const zero: Line = [edges[0]?.[0] ?? [], (edges[0]?.[0] ?? []).map(() => 0)];
    const of = (name: string) => summed(fleet.map(({ id }) => forecasts[`${id}.${name}`] ?? none));
    return table([...edges, of("powerP95@predicted"), of("powerP05@predicted"), of("power@predicted"), zero]);
  }, [fleet, histories, forecasts]);
  const rated = fleet.reduce((total, turbine) => total + turbine.ratedPower, 0);

  return (
    <div className="panel-body" ref={holder}>
      <header className="panel-head">
        <h2>Farm</h2>
        <SpanPicker />
      </header>
      <Strip
        title="Power, stacked"
        unit="kW"
        traces={traces}
        bands={bands}
        data={data}
        window={span}
        height={190}
        range={[0, rated / 4]}
        limit={[0, rated * 1.05]}
      />
      <section className="cards" aria-label="Turbines">
        {fleet.map((turbine, i) => (
          <TurbineCard key={turbine.id} turbine={turbine} ink={`stack-${(i % 4) + 1}`} />
        ))}
      </section>
      <AlarmList />
    </div>
  );
}
