import { useEffect, useMemo, useState } from "react";
import type { Person } from "tutti/client";
import type { PresenceState } from "tutti/contract";
import type { contract } from "../../contract.js";
import type { Point } from "./camera.js";
import type { CanvasChannel } from "./editor.js";

export type CanvasPerson = Person<PresenceState<typeof contract, "canvas:{id}">>;
export type CanvasDevice = CanvasPerson["devices"][number];

/** Every page but this one that looks at the canvas: another person's, or this person's other tab. */
export function useOtherDevices(people: readonly CanvasPerson[]): readonly CanvasDevice[] {
  return useMemo(() => people.flatMap((person) => person.devices.filter((device) => !device.self)), [people]);
}

/** Where the others' pointers are, by session. */
export function useCursors(channel: CanvasChannel, others: readonly CanvasDevice[]): ReadonlyMap<string, Point> {
  const [cursors, setCursors] = useState<ReadonlyMap<string, Point>>(new Map());
  useEffect(
    () => channel.on("cursor:move", ({ session, payload }) => setCursors((before) => new Map(before).set(session, payload))),
    [channel],
  );
  return useMemo(() => new Map([...cursors].filter(([session]) => others.some((device) => device.session === session))), [cursors, others]);
}

/** How long a drag is believed without a word of it, in ms: the page that dragged may be gone. */
const dragMs = 8_000;

const noDrags: ReadonlyMap<string, Point> = new Map();

/** Where concepts are that others drag at the moment, by id; until they are dropped. */
export function useOthersDrags(channel: CanvasChannel): ReadonlyMap<string, Point> {
  const [drags, setDrags] = useState(noDrags);
  useEffect(
    () =>
      channel.on("concept:drag", ({ payload }) => {
        setDrags((before) => new Map([...before, ...payload.concepts.map(({ id, x, y }): [string, Point] => [id, { x, y }])]));
      }),
    [channel],
  );
  useEffect(
    () =>
      channel.on("concept:update", ({ payload }) => {
        if (payload.x !== undefined) setDrags((before) => (before.has(payload.id) ? new Map([...before].filter(([id]) => id !== payload.id)) : before));
      }),
    [channel],
  );
  useEffect(() => {
    if (drags.size === 0) return;
    const timer = setTimeout(() => setDrags(noDrags), dragMs);
    return () => clearTimeout(timer);
  }, [drags]);
  return drags;
}
