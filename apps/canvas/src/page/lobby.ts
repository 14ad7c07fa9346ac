import { useMemo } from "react";
import { isCanvasId } from "../canvas-id.js";
import type { CanvasEntry } from "../lobby.js";
import type { Colour } from "../palette.js";
import { client } from "./client.js";
import { useGuest } from "./guest.js";
import { useSubscription } from "./subscription.js";
import { useLastLive } from "./shared/last-live.js";
import { useStore } from "./shared/store.js";
import { tellRefusal } from "./shared/refusal.js";

const channel = client.channel("lobby:main", {});

/** Somebody as the list shows them. */
export interface Visitor {
  readonly key: string;
  readonly name: string;
  readonly colour: Colour;
}

export interface LobbyView {
  /** Whether the list is what the server has, or what this page knew last. */
  readonly status: "loading" | "live";
  /** Where it is the latter, when it was true, in Unix ms. */
  readonly lastLive: number | undefined;
  readonly canvases: readonly CanvasEntry[];
  /** The ids of the canvases with a name that the server has not confirmed. */
  readonly pending: ReadonlySet<string>;
  /** Who is on which canvas; each person once, by the id of the canvas. */
  readonly visitors: ReadonlyMap<string, readonly Visitor[]>;
}

/** The list of canvases, and this page's own place in it: the canvas of its address, or on the list where there can be no such canvas. */
export function useLobby(address: string | null): LobbyView {
  const { name, colour } = useGuest();
  const canvas = address !== null && isCanvasId(address) ? address : null;
  useSubscription(channel, useMemo(() => ({ name, colour, canvas }), [name, colour, canvas]));
  const { status } = useStore(channel.status);
  const lastLive = useLastLive(channel);
  const { canvases } = useStore(channel.state);
  const { people } = useStore(channel.presence);
  const waiting = useStore(channel.pending);
  const pending = useMemo(() => new Set(waiting.map(({ payload }) => payload.id)), [waiting]);

  const visitors = useMemo(() => {
    const byCanvas = new Map<string, Visitor[]>();
    for (const person of people) {
      const states = new Map(person.devices.map(({ state }) => [state.canvas, state]));
      for (const [id, state] of states) {
        if (id === null) continue;
        byCanvas.set(id, [...(byCanvas.get(id) ?? []), { key: person.key, name: state.name, colour: state.colour }]);
      }
    }
    return byCanvas;
  }, [people]);

  return { status: status === "live" ? "live" : "loading", lastLive, canvases, pending, visitors };
}

/** Puts a canvas on the list. It is there at once, and others see it when the server has it. */
export function createCanvas(id: string, name: string): void {
  publish("canvas:create", { id, name });
}

export function renameCanvas(id: string, name: string): void {
  publish("canvas:rename", { id, name });
}

function publish(type: "canvas:create" | "canvas:rename", payload: { readonly id: string; readonly name: string }): void {
  channel.publish(type, payload).catch((error: unknown) => tellRefusal({ type, payload }, error));
}
