/** The farm from above, drawn flat: what is shown where the browser has no WebGL. */
import { useEffect, useRef } from "react";
import { centre, toLocal } from "../geo/layout.ts";
import { select } from "../state/choose.ts";
import { conditionOf, conditionText, farmWind, type Turbine, turbines } from "../state/farm.ts";
import { get, shown, useStore } from "../state/store.ts";
import { heading, number, power } from "../text/format.ts";
import { advanceMotion, motionOf } from "./motion.ts";

function Mark({ turbine, x, y }: { turbine: Turbine; x: number; y: number }) {
  const kw = useStore((state) => shown(state)[`${turbine.id}.power`]?.v);
  const yaw = useStore((state) => shown(state)[`${turbine.id}.nacelle`]?.v ?? 0);
  const how = useStore((state) => conditionOf(turbine.id, state));
  const chosen = useStore((state) => state.selected === turbine.id);
  const p = power(kw);
  const part = Math.max(0, Math.min(1, (kw ?? 0) / turbine.ratedPower));
  const round = 2 * Math.PI * 46;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a button element cannot live inside an SVG.
    <g
      transform={`translate(${x} ${y})`}
      className={`mark is-${how}${chosen ? " is-chosen" : ""}`}
      role="button"
      tabIndex={0}
      aria-pressed={chosen}
      aria-label={`${turbine.name}: ${conditionText[how]}, ${p.text} ${p.unit}`}
      onClick={() => select(chosen ? null : turbine.id)}
      onKeyDown={(event) => {
        if (event.key === "Enter" || event.key === " ") select(chosen ? null : turbine.id);
      }}
    >
      <circle r="46" className="mark-track" />
      <circle r="46" className="mark-part" strokeDasharray={`${part * round} ${round}`} transform="rotate(-90)" />
      <g transform={`rotate(${yaw})`}>
        <path d="M-4-12H4V16H-4ZM-41-12H41" className="mark-nacelle" />
      </g>
      <text x="58" y="-4">
        {turbine.name}
      </text>
      <text x="58" y="26" className="mark-power">
        {p.text} {p.unit}
      </text>
    </g>
  );
}

export function FarmMap() {
  const fleet = turbines(useStore((state) => state.twins));
  const samples = useStore(shown);
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The rotors' angles go on here, too: a flat rotor is told by its rpm.
    let before = performance.now();
    const timer = window.setInterval(() => {
      const now = performance.now();
      if (!document.hidden) advanceMotion((now - before) / 1000);
      before = now;
      for (const turbine of turbines(get().twins)) motionOf(turbine.id);
    }, 100);
    return () => window.clearInterval(timer);
  }, []);
  if (fleet.length === 0) return <div className="scene" data-testid="scene" />;
  const origin = centre(fleet);
  const places = fleet.map((turbine) => ({ turbine, ...toLocal(turbine, origin) }));
  const wide = Math.max(...places.map((place) => Math.abs(place.east))) + 330;
  const high = Math.max(...places.map((place) => Math.abs(place.north))) + 160;
  const wind = farmWind(
    fleet.map((turbine) => turbine.id),
    samples,
  );
  return (
    <div className="scene is-map" data-testid="scene" ref={holder}>
      <svg viewBox={`${-wide} ${-high} ${2 * wide} ${2 * high}`}>
        <title>Map of the wind farm</title>
        <defs>
          <pattern id="grid" width="100" height="100" patternUnits="userSpaceOnUse">
            <path d="M0 0H100M0 0V100" className="map-grid" />
          </pattern>
        </defs>
        <rect x={-4 * wide} y={-4 * high} width={8 * wide} height={8 * high} fill="url(#grid)" />
        {wind &&
          Array.from({ length: 40 }, (_, i) => {
            const x = (((i * 0.618034) % 1) * 2 - 1) * wide;
            const y = (((i * 0.414214) % 1) * 2 - 1) * high;
            return (
              <path
                key={i}
                d={`M0 0V${18 + wind.speed * 7}`}
                transform={`translate(${x} ${y}) rotate(${wind.from})`}
                className="map-wind"
              />
            );
          })}
        {places.map(({ turbine, east, north }) => (
          <Mark key={turbine.id} turbine={turbine} x={east} y={-north} />
        ))}
      </svg>
      <p className="map-said">
        Wind {number(wind?.speed, 1)} m/s from {heading(wind?.from)} · grid 100 m, north up · flat map: this browser has
        no WebGL
      </p>
    </div>
  );
}
