import type { CanvasChannel } from "./editor.js";
import { useCursors, type CanvasDevice } from "./others.js";
import { useGlide } from "./useGlide.js";

/** The others' pointers, where they point on the canvas. */
export function Cursors({ channel, others }: { readonly channel: CanvasChannel; readonly others: readonly CanvasDevice[] }) {
  const places = useGlide(useCursors(channel, others));
  return others.map(({ session, state, activity, away }) => {
    const place = places.get(session);
    if (place === undefined) return null;
    return (
      <div
        key={session}
        className="cursor"
        data-testid="cursor"
        data-colour={state.colour}
        data-faded={away || activity === "idle"}
        style={{ transform: `translate(${place.x}px, ${place.y}px) scale(calc(1 / var(--zoom)))` }}
      >
        <svg className="cursor-arrow" viewBox="0 0 20 20" aria-hidden="true">
          <path d="M3 2.5 16.5 9l-6 2-2.2 6z" />
        </svg>
        <span className="cursor-name">{state.name}</span>
      </div>
    );
  });
}
