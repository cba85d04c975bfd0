/**
 * What this browser can say about the log by itself: the node's key signed the checkpoint, and the log only grew since
 * this browser first saw it. Nobody is trusted for that but the browser's own memory of an earlier checkpoint.
 */
import { base, getCheckpoint, getConsistency, getKey } from "../api/api.ts";
import { checkConsistency, fromBase64 } from "./merkle.ts";
import { checkSignature, parseCheckpoint } from "./note.ts";

export interface Finding {
  readonly good: boolean;
  readonly text: string;
}

export interface Findings {
  readonly note: string;
  readonly findings: readonly Finding[];
}

interface Memory {
  readonly key: string;
  readonly size: number;
  readonly root: string;
  readonly seen_ms: number;
}

const place = `ectype.log ${base}`;

function recall(): Memory | null {
  try {
    return JSON.parse(localStorage.getItem(place) ?? "null") as Memory | null;
  } catch {
    return null;
  }
}

const why = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Asks the node for its checkpoint and checks it. */
export async function examine(): Promise<Findings> {
  const [note, key] = await Promise.all([getCheckpoint(), getKey()]);
  const findings: Finding[] = [];
  const checkpoint = parseCheckpoint(note);
  try {
    await checkSignature(checkpoint, key);
    findings.push({ good: true, text: `Signed by the node's key ${key.trim().split("+")[1]}` });
  } catch (error) {
    findings.push({ good: false, text: `Signature not checked: ${why(error)}` });
  }
  const before = recall();
  const root = note.split("\n")[2] ?? "";
  if (!before || before.key !== key || before.size === 0) {
    localStorage.setItem(
      place,
      JSON.stringify({ key, size: checkpoint.size, root, seen_ms: Date.now() } satisfies Memory),
    );
    findings.push({
      good: true,
      text: "First look at this log: remembered, so that the next look can prove that it only grew",
    });
    return { note, findings };
  }
  try {
    const proof = before.size === checkpoint.size ? [] : await getConsistency(before.size, checkpoint.size);
    await checkConsistency(
      before.size,
      checkpoint.size,
      proof.map(fromBase64),
      fromBase64(before.root),
      checkpoint.root,
    );
    const grown = (checkpoint.size - before.size).toLocaleString("en-GB");
    const seen = new Date(before.seen_ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
    findings.push({
      good: true,
      text: `Only grew, by ${grown} entries, since this browser first saw it (${seen}): nothing was changed or removed`,
    });
  } catch (error) {
    findings.push({ good: false, text: why(error) });
  }
  return { note, findings };
}
