/** Signed checkpoints as C2SP writes them: what they say, and whether the key's owner said it. */
import { fromBase64, type Hash, same } from "./merkle.ts";

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** The bytes that are signed: all lines up to and with the last newline before the signatures. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly blob: Hash }[];
}

/** Parses a checkpoint in a signed note (C2SP tlog-checkpoint, signed-note). Throws if it is none. */
export function parseCheckpoint(note: string): Checkpoint {
  const split = note.lastIndexOf("\n\n");
  if (split < 0) throw new Error("this is no signed note");
  const text = note.slice(0, split + 1);
  const [origin, size, root] = text.split("\n");
  if (!origin || !size || !/^\d+$/.test(size) || !root) throw new Error("this is no checkpoint");
  const signatures = note
    .slice(split + 2)
    .split("\n")
    .flatMap((line) => {
      const [, name, blob] = /^— (\S+) (\S+)$/.exec(line) ?? [];
      return name && blob ? [{ name, blob: fromBase64(blob) }] : [];
    });
  return { origin, size: Number(size), root: fromBase64(root), text, signatures };
}

/** Throws unless the holder of verifier key `vkey` (`name+hash+key`, Ed25519) signed the checkpoint. */
export async function checkSignature(checkpoint: Checkpoint, vkey: string): Promise<void> {
  const [, name, id, encoded] = /^(\S+?)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey.trim()) ?? [];
  if (!name || !id || !encoded) throw new Error("the node told no verifier key");
  const key = fromBase64(encoded);
  if (key[0] !== 1 || key.length !== 33) throw new Error("the verifier key is not an Ed25519 key");
  const hint = Uint8Array.from(id.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  const mine = checkpoint.signatures.find((one) => one.name === name && same(one.blob.slice(0, 4), hint));
  if (!mine) throw new Error(`the checkpoint carries no signature of ${name}`);
  const imported = await crypto.subtle.importKey("raw", key.slice(1), "Ed25519", false, ["verify"]);
  const message = new TextEncoder().encode(checkpoint.text);
  if (!(await crypto.subtle.verify("Ed25519", imported, mine.blob.slice(4), message))) {
    throw new Error("the checkpoint's signature is not by the node's key");
  }
}
