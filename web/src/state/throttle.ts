/** A call at most every so often, the last one never lost. */

export function throttled(every_ms: number, call: () => unknown): () => void {
  let timer = 0;
  let ran = Number.NEGATIVE_INFINITY;
  const run = (): void => {
    timer = 0;
    ran = performance.now();
    // A failed refresh is told by the feed's own link state; the next change tries again.
    void Promise.resolve(call()).catch(() => undefined);
  };
  return () => {
    if (timer) return;
    timer = window.setTimeout(run, Math.max(0, ran + every_ms - performance.now()));
  };
}
