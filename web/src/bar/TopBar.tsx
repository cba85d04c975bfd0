/** The farm in one line: is it live, when is it, what does it make, what is it worth, who is here. */
import { toggleTheme } from "../state/choose.ts";
import { farmOf, sum, turbines } from "../state/farm.ts";
import { shown, shownTime, useStore } from "../state/store.ts";
import { clock, day, power } from "../text/format.ts";
import { LogRoot } from "./LogRoot.tsx";
import { Money } from "./Money.tsx";
import { People } from "./People.tsx";
import { ReplayControl } from "./ReplayControl.tsx";

const linkText = {
  connecting: "Connecting",
  live: "Connected",
  "catching-up": "Catching up",
  offline: "Offline, reconnecting",
} as const;

function Mark() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M16 14v13M16 13V3.5M16 13 7.8 17.7M16 13l8.2 4.7" />
      <circle cx="16" cy="13" r="2.6" />
    </svg>
  );
}

export function TopBar() {
  const space = useStore((state) => state.space);
  const link = useStore((state) => state.link);
  const fault = useStore((state) => state.fault);
  const time = useStore(shownTime);
  const back = useStore((state) => state.moment !== null);
  const twins = useStore((state) => state.twins);
  const samples = useStore(shown);
  const theme = useStore((state) => state.theme);
  const fleet = turbines(twins);
  const rated = fleet.reduce((total, turbine) => total + turbine.ratedPower, 0);
  const kw = sum(
    "power",
    fleet.map(({ id }) => id),
    samples,
  );
  const p = power(kw);
  const farm = farmOf(twins);
  return (
    <header className="bar">
      <div className="bar-name">
        <Mark />
        <h1>{String(farm?.name ?? space?.name ?? "Ectype")}</h1>
        <span className={`link is-${link}`} role="status" title={fault ?? undefined}>
          <i className="dot" />
          <span>{linkText[link]}</span>
        </span>
      </div>
      <div className={back ? "figure time is-back" : "figure time"}>
        <small>{back ? "Looking back" : "Data time"}, UTC</small>
        <b data-testid="data-time">
          {time === null ? "–" : clock(time)} <span>{time === null ? "" : day(time)}</span>
        </b>
      </div>
      {fleet.length > 0 && (
        <>
          <div
            className="figure"
            title={`${Math.round(((kw ?? 0) / (rated || 1)) * 100)} % of ${rated / 1000} MW installed`}
          >
            <small>Power</small>
            <b data-testid="total-power">
              {p.text} <span>{p.unit}</span>
            </b>
            <span className="bar-load" aria-hidden="true">
              <i style={{ width: `${Math.max(0, Math.min(100, ((kw ?? 0) / (rated || 1)) * 100))}%` }} />
            </span>
          </div>
          <Money />
        </>
      )}
      <ReplayControl />
      <LogRoot />
      <People />
      <button
        type="button"
        className="icon theme"
        onClick={toggleTheme}
        aria-label={theme === "dark" ? "Light colours" : "Dark colours"}
        title={theme === "dark" ? "Light colours" : "Dark colours"}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="5.5" />
          <path d="M8 2.5a5.5 5.5 0 0 1 0 11Z" className="solid" />
        </svg>
      </button>
    </header>
  );
}
