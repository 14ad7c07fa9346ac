import { useEffect, useState } from "react";
import type { Channel } from "tutti/client";
import * as z from "zod";
import type { contract } from "../../contract.js";
import { useStore } from "./store.js";

const storageKey = "tutti-canvas:live";
/** As many as the client keeps states of. */
const channelsMax = 20;
const noteIntervalMs = 10_000;

/** When each channel was live last in this browser, in Unix ms; the latest last. */
const timesSchema = z.array(z.tuple([z.string(), z.number()])).max(channelsMax);
type Times = z.infer<typeof timesSchema>;

function load(): Times {
  try {
    return timesSchema.parse(JSON.parse(localStorage.getItem(storageKey) ?? "[]"));
  } catch {
    return [];
  }
}

function note(channel: string): void {
  const others = load().filter(([other]) => other !== channel);
  try {
    localStorage.setItem(storageKey, JSON.stringify([...others, [channel, Date.now()]].slice(-channelsMax)));
  } catch {
    // Then nobody knows how old it is.
  }
}

/** When what is shown of the channel was true, in Unix ms. `undefined` while it is true, and where nobody knows. */
export function useLastLive({ name, status }: Pick<Channel<typeof contract, "lobby:main">, "name" | "status">): number | undefined {
  const isLive = useStore(status).status === "live";
  const [time, setTime] = useState(() => timeOf(name));
  useEffect(() => {
    if (!isLive) return;
    note(name);
    const timer = setInterval(() => note(name), noteIntervalMs);
    return () => {
      clearInterval(timer);
      note(name);
      setTime(timeOf(name));
    };
  }, [name, isLive]);
  return isLive ? undefined : time;
}

function timeOf(name: string): number | undefined {
  return load().find(([channel]) => channel === name)?.[1];
}
