/** The five strips of one turbine: what was measured, what is believed and how surely, what is expected to come. */
import { useMemo, useRef } from "react";
import { useBeat, useForecasts, useHistories, useWindow } from "../charts/query.ts";
import { type Band, Strip, type Trace } from "../charts/Strip.tsx";
import { doubts, edge, line, table } from "../charts/table.ts";
import type { Turbine } from "../state/farm.ts";
import { useAlarmSpans } from "./alarmSpans.ts";
import { useWidth } from "./useWidth.ts";

const powerTraces: readonly Trace[] = [
  { label: "P95", color: "estimated", edge: true },
  { label: "P05", color: "estimated", edge: true },
  { label: "expected", color: "estimated", width: 1.25 },
  { label: "measured", color: "ink", width: 1.5 },
  { label: "P95", color: "predicted", edge: true },
  { label: "P05", color: "predicted", edge: true },
  { label: "forecast", color: "predicted", dash: [5, 3] },
];
const powerBands: readonly Band[] = [
  { between: [0, 1], color: "estimated", opacity: 0.2 },
  { between: [4, 5], color: "predicted", opacity: 0.24 },
];
const beliefBand: readonly Band[] = [{ between: [0, 1], color: "estimated", opacity: 0.22 }];
const believed = (label: string, digits: number): Trace[] => [
  { label: "+2σ", color: "estimated", edge: true },
  { label: "−2σ", color: "estimated", edge: true },
  { label, color: "estimated", digits },
];
const windTraces: readonly Trace[] = [
  ...believed("rotor-effective", 1),
  { label: "anemometer", color: "ink", width: 1.1, digits: 1 },
];
const performanceTraces = believed("estimated ± 2σ", 3);
const yawTraces = believed("estimated ± 2σ", 1);
const angleTraces: readonly Trace[] = [
  { label: "pitch", color: "ink", digits: 1 },
  { label: "nacelle", color: "muted", width: 1.1 },
];

export function TurbineCharts({ turbine }: { turbine: Turbine }) {
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const beat = useBeat(250);
  const span = useWindow(beat);
  const of = (name: string): string => `${turbine.id}.${name}`;
  const names = [
    "power",
    "windSpeed",
    "pitch",
    "nacelle",
    "expectedPower@estimated",
    "expectedPowerP05@estimated",
    "expectedPowerP95@estimated",
    "rotorWindSpeed@estimated",
    "performance@estimated",
    "yawMisalignment@estimated",
  ].map(of);
  const histories = useHistories(names, span, width, beat);
  const forecasts = useForecasts(["power@predicted", "powerP05@predicted", "powerP95@predicted"].map(of), beat);
  const alarms = useAlarmSpans(turbine.id);

  const data = useMemo(() => {
    const h = (name: string) => histories[`${turbine.id}.${name}`] ?? { t: [], v: [], std: null };
    const f = (name: string) => line(forecasts[`${turbine.id}.${name}`] ?? { t: [], v: [] });
    const belief = (name: string) => [edge(h(name), 2), edge(h(name), -2), line(h(name))];
    return {
      power: table([
        line(h("expectedPowerP95@estimated")),
        line(h("expectedPowerP05@estimated")),
        line(h("expectedPower@estimated")),
        line(h("power")),
        f("powerP95@predicted"),
        f("powerP05@predicted"),
        f("power@predicted"),
      ]),
      wind: table([...belief("rotorWindSpeed@estimated"), line(h("windSpeed"))]),
      performance: table(belief("performance@estimated")),
      yaw: table(belief("yawMisalignment@estimated")),
      angles: table([line(h("pitch")), line(h("nacelle"))]),
    };
  }, [histories, forecasts, turbine.id]);

  const doubted = useMemo(() => {
    const h = (name: string) => histories[`${turbine.id}.${name}`];
    return { power: doubts(h("power")), wind: doubts(h("windSpeed")), angles: doubts(h("pitch"), h("nacelle")) };
  }, [histories, turbine.id]);

  return (
    <div ref={holder} className="charts">
      <Strip
        title="Power"
        unit="kW"
        traces={powerTraces}
        bands={powerBands}
        data={data.power}
        doubts={doubted.power}
        window={span}
        alarms={alarms}
        height={148}
        range={[0, 400]}
        limit={[-50, turbine.ratedPower * 1.12]}
      />
      <Strip
        title="Wind"
        unit="m/s"
        traces={windTraces}
        bands={beliefBand}
        data={data.wind}
        doubts={doubted.wind}
        window={span}
        range={[0, 8]}
        limit={[0, 40]}
      />
      <Strip
        title="Performance"
        unit="1 = as new"
        traces={performanceTraces}
        bands={beliefBand}
        data={data.performance}
        window={span}
        range={[0.9, 1.02]}
        limit={[0.5, 1.4]}
        height={92}
      />
      <Strip
        title="Yaw misalignment"
        unit="°"
        traces={yawTraces}
        bands={beliefBand}
        data={data.yaw}
        window={span}
        range={[-1, 5]}
        limit={[-20, 20]}
        height={92}
      />
      <Strip
        title="Pitch and nacelle"
        unit="°"
        traces={angleTraces}
        data={data.angles}
        doubts={doubted.angles}
        window={span}
        range={[0, 90]}
        height={92}
      />
    </div>
  );
}
