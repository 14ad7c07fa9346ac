import { useEffect, useRef, useState } from "react";
import type { Point } from "./camera.js";

/** How long a thing takes to cover most of the way to where it should be: about the pause between two signals. */
const glideMs = 55;
const arrivedWithin = 0.4;

const prefersStillness = window.matchMedia("(prefers-reduced-motion: reduce)");

interface Glide {
  readonly targets: ReadonlyMap<string, Point>;
  readonly pinned: ReadonlyMap<string, unknown>;
}

/** A step of everything towards its target; `targets` itself once all have arrived. */
function advance(places: ReadonlyMap<string, Point>, { targets, pinned }: Glide, passedMs: number): ReadonlyMap<string, Point> {
  const share = 1 - Math.exp(-passedMs / glideMs);
  const next = new Map<string, Point>();
  let moving = 0;
  for (const [id, target] of targets) {
    const place = pinned.has(id) ? target : (places.get(id) ?? target);
    const dx = target.x - place.x;
    const dy = target.y - place.y;
    if (Math.hypot(dx, dy) < arrivedWithin) {
      next.set(id, target);
    } else {
      next.set(id, { x: place.x + dx * share, y: place.y + dy * share });
      moving += 1;
    }
  }
  return moving === 0 ? targets : next;
}

/**
 * Places that follow `targets` smoothly, so that what arrives 20 times a second looks as if it moved. A new thing starts where it is, and
 * what is `pinned` is there at once. Both should keep their references until they change.
 */
export function useGlide(targets: ReadonlyMap<string, Point>, pinned: ReadonlyMap<string, unknown> = nothing): ReadonlyMap<string, Point> {
  const [shown, setShown] = useState(targets);
  const latest = useRef(targets);
  useEffect(() => {
    let last = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      latest.current = prefersStillness.matches ? targets : advance(latest.current, { targets, pinned }, now - last);
      last = now;
      setShown(latest.current);
      if (latest.current !== targets) frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  }, [targets, pinned]);
  return shown;
}

const nothing: ReadonlyMap<string, unknown> = new Map();
