/** How much time the charts show. */
import { follow, spans } from "../charts/window.ts";
import { useStore } from "../state/store.ts";

export function SpanPicker({ choices = spans }: { choices?: typeof spans }) {
  const span = useStore((state) => state.span);
  const zoomed = useStore((state) => state.zoom !== null);
  return (
    <fieldset className="segments">
      <legend className="hidden">Time shown</legend>
      {choices.map(([text, ms]) => (
        <button key={text} type="button" aria-pressed={!zoomed && ms === span} onClick={() => follow(ms)}>
          {text}
        </button>
      ))}
      {zoomed && (
        <button
          type="button"
          aria-pressed="true"
          onClick={() => follow()}
          title="Back to following time (double click a chart)"
        >
          zoomed ✕
        </button>
      )}
    </fieldset>
  );
}
