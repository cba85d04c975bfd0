import { describe, expect, test } from "vitest";
import { checkConsistency, fromBase64, type Hash, hashLeaf, hashNode } from "../src/log/merkle.ts";
import { checkSignature, parseCheckpoint } from "../src/log/note.ts";

const text = new TextEncoder();
const hex = (hash: Hash): string => Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The root as RFC 9162 section 2.1.1 defines it, by recursion over all leaves. */
async function root(leaves: readonly Uint8Array[]): Promise<Hash> {
  if (leaves.length === 1) return hashLeaf(leaves[0]!);
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return hashNode(await root(leaves.slice(0, k)), await root(leaves.slice(k)));
}

/** A consistency proof as RFC 9162 section 2.1.4.1 defines it. */
async function proof(m: number, leaves: readonly Uint8Array[], whole = true): Promise<Hash[]> {
  if (m === leaves.length) return whole ? [] : [await root(leaves)];
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  if (m <= k) return [...(await proof(m, leaves.slice(0, k), whole)), await root(leaves.slice(k))];
  return [...(await proof(m - k, leaves.slice(k), false)), await root(leaves.slice(0, k))];
}

describe("the tree", () => {
  test("has the roots that the Certificate Transparency tests publish", async () => {
    const leaves = [
      "",
      "00",
      "10",
      "2021",
      "3031",
      "40414243",
      "5051525354555657",
      "606162636465666768696a6b6c6d6e6f",
    ].map((leaf) => Uint8Array.from(leaf.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)));
    expect(hex(await root(leaves.slice(0, 1)))).toBe(
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    );
    expect(hex(await root(leaves))).toBe("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
  });

  test("every honest proof passes and every altered one fails, for all sizes up to 20", async () => {
    const leaves = Array.from({ length: 20 }, (_, i) => text.encode(`entry ${i}`));
    for (let n = 1; n <= 20; n += 1) {
      for (let m = 1; m <= n; m += 1) {
        const path = await proof(m, leaves.slice(0, n));
        const [a, b] = [await root(leaves.slice(0, m)), await root(leaves.slice(0, n))];
        await checkConsistency(m, n, path, a, b);
        const wrong = a.map((byte, i) => (i === 7 ? byte ^ 1 : byte));
        await expect(checkConsistency(m, n, path, wrong, b)).rejects.toThrow("does not continue");
        if (m < n) {
          await expect(checkConsistency(m, n, path, a, wrong)).rejects.toThrow("does not continue");
          await expect(checkConsistency(m, n, [...path, a], a, b)).rejects.toThrow("does not continue");
          await expect(checkConsistency(m, n, path.slice(1), a, b)).rejects.toThrow("does not continue");
        }
      }
    }
  });

  test("a log that became shorter is refused", async () => {
    const hash = await hashLeaf(text.encode("a"));
    await expect(checkConsistency(5, 4, [], hash, hash)).rejects.toThrow("it is shorter");
  });
});

describe("a checkpoint", () => {
  // The example of golang.org/x/mod/sumdb/note.
  const vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const said =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  const split = said.lastIndexOf("\n\n");
  const note = {
    origin: "",
    size: 0,
    root: new Uint8Array(0),
    text: said.slice(0, split + 1),
    signatures: [
      {
        name: "PeterNeumann",
        blob: fromBase64(
          said
            .slice(split + 2)
            .trim()
            .split(" ")[2]!,
        ),
      },
    ],
  };

  test("is read line by line", () => {
    const root = btoa("r".repeat(32));
    const read = parseCheckpoint(`ectype/farm\n42\n${root}\n\n— ectype/farm AAAAAAAA\n`);
    expect(read).toMatchObject({ origin: "ectype/farm", size: 42, text: `ectype/farm\n42\n${root}\n` });
    expect(read.signatures.map((one) => one.name)).toEqual(["ectype/farm"]);
    expect(() => parseCheckpoint("nonsense")).toThrow();
  });

  test("a signature by Go's note package passes", async () => {
    await checkSignature(note, vkey);
  });

  test("other words, another key and no signature fail", async () => {
    await expect(checkSignature({ ...note, text: note.text.replace("problem", "puzzle") }, vkey)).rejects.toThrow(
      "not by",
    );
    await expect(checkSignature(note, vkey.replace("c74f20a3", "c74f20a4"))).rejects.toThrow("no signature of");
    await expect(checkSignature({ ...note, signatures: [] }, vkey)).rejects.toThrow("no signature of");
  });
});
