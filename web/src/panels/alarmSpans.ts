/** The alarms of one turbine as stretches of time, for charts to shade. */
import { useMemo } from "react";
import { useStore } from "../state/store.ts";

export function useAlarmSpans(id: string): readonly (readonly [number, number])[] {
  const alarms = useStore((state) => state.alarms);
  return useMemo(
    () =>
      alarms
        .filter((alarm) => alarm.twin === id)
        .map((alarm) => [alarm.since_ms, alarm.until_ms ?? Number.MAX_SAFE_INTEGER] as const),
    [alarms, id],
  );
}
