/** The log under it all: its size, its root, and the signed checkpoint that anyone can verify. */
import { useState } from "react";
import { examine, type Findings } from "../log/watch.ts";
import { useStore } from "../state/store.ts";
import { number } from "../text/format.ts";
import { Popover } from "./Popover.tsx";

export function LogRoot() {
  const space = useStore((state) => state.space);
  const size = useStore((state) => state.size);
  const [found, setFound] = useState<Findings | null>(null);
  const [copied, setCopied] = useState<string | null>(null);
  const root = space?.root ?? "";
  const copy = async (what: string, text: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(what);
    } catch {
      setCopied(null); // no clipboard without a secure origin; the text can still be marked by hand
    }
    window.setTimeout(() => setCopied(null), 1500);
  };
  const read = (): void => {
    examine().then(setFound, (error: unknown) =>
      setFound({ note: "", findings: [{ good: false, text: error instanceof Error ? error.message : String(error) }] }),
    );
  };
  return (
    <div className="figure log">
      <small>
        Log, {number(size)} entries
        <Popover label="verify" title="Signed checkpoint" onOpen={read}>
          <p>
            This note commits to every entry so far: its third line is the root of the Merkle tree over all of them.
            Your browser checked it just now:
          </p>
          <ul className="findings">
            {(found?.findings ?? []).map((finding) => (
              <li key={finding.text} className={finding.good ? "is-good" : "is-bad"}>
                {finding.text}
              </li>
            ))}
          </ul>
          <pre>{found?.note.trim() || "…"}</pre>
          <p>
            All of it, every entry and signature, offline: <code>ectype log verify SPACE</code>
          </p>
          <button
            type="button"
            className="quiet"
            disabled={!found?.note}
            onClick={() => void copy("note", found?.note ?? "")}
          >
            {copied === "note" ? "Copied" : "Copy the checkpoint"}
          </button>
        </Popover>
      </small>
      <button
        type="button"
        className="root"
        onClick={() => void copy("root", root)}
        title={root ? `Root at ${number(space?.size)} entries: ${root}. Click to copy.` : ""}
        aria-label="Copy the log's root"
      >
        {copied === "root" ? "copied" : `${root.slice(0, 10)}…`}
      </button>
    </div>
  );
}
