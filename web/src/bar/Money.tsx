/** Energy produced and lost, in kWh and in euros at a price that anybody here can set, for everybody. */
import { useEffect, useState } from "react";
import { ApiError, patchTwin } from "../api/api.ts";
import { farmOf, sum, turbines } from "../state/farm.ts";
import { refreshTwin } from "../state/live.ts";
import { shown, useStore } from "../state/store.ts";
import { energy, euros, number } from "../text/format.ts";

function Price() {
  const farm = useStore((state) => farmOf(state.twins));
  const price = Number(farm?.electricityPrice ?? Number.NaN);
  const [draft, setDraft] = useState<string | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const text = draft ?? (Number.isFinite(price) ? String(price) : "");

  useEffect(() => {
    if (!said) return;
    const timer = window.setTimeout(() => setSaid(null), 8000);
    return () => window.clearTimeout(timer);
  }, [said]);

  const save = async (): Promise<void> => {
    if (draft === null || !farm) return;
    const wanted = Number(draft.replace(",", "."));
    if (draft.trim() === "" || !Number.isFinite(wanted) || wanted === price) {
      setDraft(null);
      return;
    }
    try {
      await patchTwin(farm.$dtId, farm.$etag, "electricityPrice", wanted);
      await refreshTwin(farm.$dtId);
      setDraft(null);
      setSaid(null);
    } catch (error) {
      if (error instanceof ApiError && (error.status === 412 || error.status === 409)) {
        // Somebody was faster: say to what, keep mine in the field; another Enter sets it.
        const theirs = await refreshTwin(farm.$dtId).catch(() => null);
        setSaid(
          `Meanwhile set to ${number(Number(theirs?.electricityPrice), 2)}. Enter again sets yours, Esc keeps theirs.`,
        );
      } else {
        setSaid(error instanceof Error ? error.message : String(error));
      }
    }
  };

  return (
    <span className="price">
      at
      <input
        data-testid="price-input"
        aria-label="Price of electricity in euros per megawatt hour"
        inputMode="decimal"
        size={Math.max(2, text.length)}
        value={text}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={() => void save()}
        onKeyDown={(event) => {
          if (event.key === "Enter") void save();
          if (event.key === "Escape") {
            setDraft(null);
            setSaid(null);
          }
        }}
      />
      €/MWh
      {said && (
        <span className="said" role="alert">
          {said}
        </span>
      )}
    </span>
  );
}

export function Money() {
  const twins = useStore((state) => state.twins);
  const samples = useStore(shown);
  const ids = turbines(twins).map(({ id }) => id);
  const price = Number(farmOf(twins)?.electricityPrice ?? Number.NaN);
  const produced = sum("producedEnergy@estimated", ids, samples);
  const lost = sum("lostEnergy@estimated", ids, samples);
  const made = energy(produced);
  const worth = (kwh: number | null): string => euros(kwh === null ? null : (kwh / 1000) * price);
  return (
    <>
      <div className="figure">
        <small>
          Produced <Price />
        </small>
        <b>
          {made.text} <span>{made.unit}</span> <em>{worth(produced)}</em>
        </b>
      </div>
      <div className="figure is-lost">
        <small>Lost while stopped</small>
        <b>
          {number(lost)} <span>kWh</span> <em>{worth(lost)}</em>
        </b>
      </div>
    </>
  );
}
