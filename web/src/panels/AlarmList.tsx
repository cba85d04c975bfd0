/** Alarms, those that stand first; a click goes to the turbine and the moment it began. */
import { useMemo, useState } from "react";
import { visit } from "../state/choose.ts";
import { farmOf, standsAt } from "../state/farm.ts";
import { shownTime, useStore } from "../state/store.ts";
import { duration, euros, moment, number } from "../text/format.ts";

const FEW = 6;

export function AlarmList({ twin }: { twin?: string }) {
  const alarms = useStore((state) => state.alarms);
  const minute = useStore((state) => Math.floor((shownTime(state) ?? 0) / 60_000));
  const price = useStore((state) => Number(farmOf(state.twins)?.electricityPrice ?? 0));
  const [all, setAll] = useState(false);
  const now = minute * 60_000;
  const known = useMemo(
    () =>
      alarms
        .filter((alarm) => (twin === undefined || alarm.twin === twin) && alarm.since_ms <= now + 60_000)
        .sort((a, b) => Number(standsAt(b, now)) - Number(standsAt(a, now)) || b.since_ms - a.since_ms),
    [alarms, twin, now],
  );
  const standing = known.filter((alarm) => standsAt(alarm, now)).length;
  return (
    <section className="alarms" aria-label="Alarms">
      <h3>
        Alarms
        <small>
          {standing > 0
            ? `${standing} standing, ${known.length - standing} before`
            : `none standing, ${known.length} before`}
        </small>
      </h3>
      <ul>
        {(all ? known : known.slice(0, FEW)).map((alarm) => {
          const stands = standsAt(alarm, now);
          const end = alarm.until_ms !== null && alarm.until_ms <= now ? alarm.until_ms : now;
          return (
            <li key={`${alarm.id}@${alarm.since_ms}`}>
              <button
                type="button"
                data-testid="alarm-item"
                className={`alarm is-${alarm.severity}${stands ? " is-standing" : ""}`}
                onClick={() => visit(alarm.twin, alarm.since_ms + 20 * 60_000)}
              >
                <i className="dot" />
                <span className="alarm-text">
                  {twin === undefined && alarm.why !== null && <b>{alarm.twin}: </b>}
                  {stands && alarm.until_ms !== null && alarm.name === "standstill"
                    ? `${alarm.twin} stood still then`
                    : alarm.text}
                  {typeof alarm.why?.sensors?.faulty === "string" && ` ${alarm.why.sensors.sentence}`}
                </span>
                <span className="alarm-when">
                  {moment(alarm.since_ms)} · {stands ? "for " : ""}
                  {duration(end - alarm.since_ms)}
                </span>
                <span className="alarm-cost">
                  {alarm.cost_kwh === null
                    ? ""
                    : `${number(alarm.cost_kwh)} kWh · ${euros((alarm.cost_kwh / 1000) * price)}`}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      {known.length > FEW && (
        <button type="button" className="quiet" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${known.length}`}
        </button>
      )}
    </section>
  );
}
