/** Play from the moment gone back to, at a pace, or return to live. This moves only one's own view. */
import { goLive, goTo, play } from "../state/past.ts";
import { get, set, shownTime, useStore } from "../state/store.ts";

const paces: readonly (readonly [number, string])[] = [
  [1, "real time"],
  [600, "10 min/s"],
  [3600, "1 h/s"],
  [21600, "6 h/s"],
];

export function PlayControls() {
  const back = useStore((state) => state.moment !== null);
  const playing = useStore((state) => state.playing);
  const rate = useStore((state) => state.rate);
  const step = (ms: number) => (): void => {
    const now = shownTime(get());
    if (now !== null) goTo(now + ms);
  };
  return (
    <div className="play">
      <button
        type="button"
        className={back ? "live" : "live is-on"}
        data-testid="live-button"
        aria-pressed={!back}
        onClick={goLive}
        title="Follow the newest data (L)"
      >
        <i className="dot" /> Live
      </button>
      <button type="button" className="icon" onClick={step(-3_600_000)} aria-label="An hour back" title="An hour back">
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M9 3 4 8l5 5M13 3 8 8l5 5" />
        </svg>
      </button>
      <button
        type="button"
        className="icon"
        onClick={() => play(!playing)}
        disabled={!back && !playing}
        aria-label={playing ? "Pause" : "Play from here"}
        title={playing ? "Pause (space)" : "Play from here (space)"}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          {playing ? <path d="M5 3v10M11 3v10" /> : <path d="M5 3v10l8-5Z" className="solid" />}
        </svg>
      </button>
      <select
        aria-label="Pace of playing back"
        title="Pace of playing back, for you alone"
        value={rate}
        onChange={(event) => set({ rate: Number(event.target.value) })}
      >
        {paces.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
