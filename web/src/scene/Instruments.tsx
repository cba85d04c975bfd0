/** Compass, wind and scale bar over the scene's corner: what makes a picture a map. */
import { useEffect, useRef } from "react";
import { farmWind, turbines } from "../state/farm.ts";
import { shown, useStore } from "../state/store.ts";
import { heading, number } from "../text/format.ts";
import { camera } from "./camera.ts";

const lengths = [10, 20, 50, 100, 200, 500, 1000, 2000];

export function Instruments() {
  const rose = useRef<SVGGElement>(null);
  const needle = useRef<SVGGElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const ids = useStore((state) => state.twins);
  const samples = useStore(shown);
  const wind = farmWind(
    turbines(ids).map((turbine) => turbine.id),
    samples,
  );
  const from = wind?.from ?? null;
  useEffect(() => {
    let frame = 0;
    let before = "";
    const tick = (): void => {
      frame = requestAnimationFrame(tick);
      const now = `${camera.heading.toFixed(1)} ${camera.metresPerPixel.toPrecision(4)}`;
      if (now === before) return;
      before = now;
      rose.current?.setAttribute("transform", `rotate(${-camera.heading})`);
      if (from !== null) needle.current?.setAttribute("transform", `rotate(${from - camera.heading})`);
      const length = lengths.findLast((metres) => metres / camera.metresPerPixel <= 130) ?? 10;
      if (!bar.current) return;
      bar.current.style.width = `${length / camera.metresPerPixel}px`;
      bar.current.textContent = length < 1000 ? `${length} m` : `${length / 1000} km`;
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [from]);
  return (
    <div className="instruments">
      <svg viewBox="-35 -35 70 70" role="img" aria-label={`Wind from ${heading(from)}`}>
        <circle r="31" className="rose-face" />
        <g ref={rose}>
          {Array.from({ length: 24 }, (_, i) => (
            <line key={i} y1={-30} y2={i % 6 ? -28 : -25} transform={`rotate(${i * 15})`} className="rose-tick" />
          ))}
          <path d="M0-33 4-24.5H-4Z" className="rose-north" />
          <text y="-15" className="rose-n">
            N
          </text>
        </g>
        {from !== null && (
          <g ref={needle}>
            <path d="M0-13 0 14M-4.5 8.5 0 14 4.5 8.5" className="rose-wind" />
          </g>
        )}
      </svg>
      <div>
        <div className="wind-now">
          {number(wind?.speed, 1)} <small>m/s</small>
        </div>
        <div className="wind-from">from {heading(from)}</div>
        <div className="scale-bar" ref={bar} title="Scale at the point looked at" />
      </div>
    </div>
  );
}
