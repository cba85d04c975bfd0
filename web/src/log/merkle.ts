/** Merkle tree hashes and consistency proofs, checked by the reader: RFC 9162 sections 2.1.1 and 2.1.4.2. */

export type Hash = Uint8Array<ArrayBuffer>;

async function sha256(...parts: Uint8Array[]): Promise<Hash> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

export const hashLeaf = (leaf: Uint8Array): Promise<Hash> => sha256(Uint8Array.of(0), leaf);
export const hashNode = (left: Hash, right: Hash): Promise<Hash> => sha256(Uint8Array.of(1), left, right);

export const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

export function fromBase64(text: string): Hash {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * Throws unless `path` proves that the tree of `first` leaves with root `firstRoot` begins the tree of `second` leaves
 * with root `secondRoot`. Both sizes must be positive; sizes below 2^53.
 */
export async function checkConsistency(
  first: number,
  second: number,
  path: readonly Hash[],
  firstRoot: Hash,
  secondRoot: Hash,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new Error(`the log of ${second} entries does not continue the log of ${first}: ${why}`);
  };
  if (first <= 0 || first > second) refuse("it is shorter");
  if (first === second) {
    if (path.length > 0 || !same(firstRoot, secondRoot)) refuse("the same size has another root");
    return;
  }
  const whole = Number.isInteger(Math.log2(first)) ? [firstRoot, ...path] : [...path];
  const start = whole.shift();
  if (!start) return refuse("the proof is empty");
  let fn = BigInt(first - 1);
  let sn = BigInt(second - 1);
  while (fn & 1n) {
    fn >>= 1n;
    sn >>= 1n;
  }
  let fr = start;
  let sr = start;
  for (const c of whole) {
    if (sn === 0n) refuse("the proof is too long");
    if (fn & 1n || fn === sn) {
      fr = await hashNode(c, fr);
      sr = await hashNode(c, sr);
      while (fn !== 0n && !(fn & 1n)) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      sr = await hashNode(sr, c);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  if (sn !== 0n) refuse("the proof is too short");
  if (!same(fr, firstRoot)) refuse("the old root is another");
  if (!same(sr, secondRoot)) refuse("the new root is another");
}
