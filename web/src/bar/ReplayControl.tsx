/** How fast the recorded world goes on, and whether it does: a property of the `replay` twin, so the same for everybody. */
import { useState } from "react";
import { patchTwin } from "../api/api.ts";
import { replayOf } from "../state/farm.ts";
import { refreshTwin } from "../state/live.ts";
import { useStore } from "../state/store.ts";
import { pace } from "../text/format.ts";

const speeds = [1, 60, 600, 1800, 3600, 21600];

export function ReplayControl() {
  const replay = useStore((state) => replayOf(state.twins));
  const [fault, setFault] = useState<string | null>(null);
  if (!replay) return null;
  const speed = Number(replay.speed ?? 1);
  const paused = replay.paused === true;
  const choices = speeds.includes(speed) ? speeds : [...speeds, speed].sort((a, b) => a - b);
  const change = async (property: string, value: unknown): Promise<void> => {
    try {
      // The last word wins here: two people who turn one knob at once see where it ends up.
      await patchTwin(replay.$dtId, null, property, value);
      await refreshTwin(replay.$dtId);
      setFault(null);
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="figure replay" title={fault ?? "The recorded data's pace, for everyone"}>
      <small>{fault ?? "Replay, for all"}</small>
      <span className="replay-row">
        <button
          type="button"
          className="icon"
          aria-pressed={paused}
          aria-label={paused ? "Go on with the replay" : "Pause the replay"}
          onClick={() => void change("paused", !paused)}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            {paused ? <path d="M5 3v10l8-5Z" className="solid" /> : <path d="M5 3v10M11 3v10" />}
          </svg>
        </button>
        <select
          data-testid="speed-select"
          aria-label="Speed of the replay"
          value={speed}
          onChange={(event) => void change("speed", Number(event.target.value))}
        >
          {choices.map((value) => (
            <option key={value} value={value}>
              {value === 1 ? "real time" : pace(value)}
            </option>
          ))}
        </select>
      </span>
    </div>
  );
}
