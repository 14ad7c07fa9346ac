import { useCallback, useEffect, useState } from "react";
import type { Size } from "./camera.js";

const noSizes: ReadonlyMap<string, Size> = new Map();

/** The sizes of elements with a `data-id`, by that id, as they are laid out. */
export function useSizes() {
  const [sizes, setSizes] = useState(noSizes);
  const [observer] = useState(
    () =>
      new ResizeObserver((entries) => {
        const measured = entries.flatMap(({ target }): [string, Size][] => {
          const id = target.getAttribute("data-id");
          if (id === null || !(target instanceof HTMLElement)) return [];
          return [[id, { width: target.offsetWidth, height: target.offsetHeight }]];
        });
        setSizes((before) => new Map([...before, ...measured]));
      }),
  );
  useEffect(() => () => observer.disconnect(), [observer]);

  /** For a `ref`: watches an element, and returns what stops it. */
  const measure = useCallback(
    (element: HTMLElement) => {
      observer.observe(element);
      return () => observer.unobserve(element);
    },
    [observer],
  );
  return { sizes, measure };
}
