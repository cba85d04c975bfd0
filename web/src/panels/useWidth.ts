/** An element's width in CSS pixels, rounded so that small changes ask nothing of anybody. */
import { type RefObject, useEffect, useState } from "react";

export function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(400);
  useEffect(() => {
    const target = element.current;
    if (!target) return;
    const watch = new ResizeObserver(() => setWidth(Math.ceil(target.clientWidth / 50) * 50));
    watch.observe(target);
    return () => watch.disconnect();
  }, [element]);
  return width;
}
