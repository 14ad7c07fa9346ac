import type { Cancel, Encoded, Environment, Received } from "@tutti/protocol";
import { CLOSE_ABNORMAL, CLOSE_NORMAL } from "../close-codes.js";
import type { Link, LinkEvents, Transport } from "../transport.js";
import type { Attention } from "./attention.js";
import type { AdaptiveNumbers, Experience, Place } from "./experience.js";
import { begin, transition, type Facts, type LinkEffect, type LinkEvent, type LinkPhase, type Step, type Why } from "./link-machine.js";

/** Knows when the client comes to another network: what was found out on the one before says nothing about it. */
export interface NetworkWatch {
  watch(changed: () => void): Cancel;
}

/** What the links of an adaptive transport share. */
export interface AdaptiveHost {
  readonly environment: Pick<Environment, "elapsed" | "after" | "random">;
  readonly attention: Attention;
  readonly network: NetworkWatch;
  readonly numbers: AdaptiveNumbers;
  experience: Experience;
  /** The transport at this place: now, where it is there already. */
  transportAt(place: Place): Transport | Promise<Transport>;
  settled(place: Place, why: Why): void;
  forget(): void;
}

/** One link of one of the transports. */
interface Handle {
  link?: Link;
  hasSpoken: boolean;
}

/**
 * Carries out what the link's machine decides: links of the transports, a timer, the hello. To the client it is one link.
 *
 * @throws TypeError where not one of the transports could be begun
 */
export function openAdaptiveLink(host: AdaptiveHost, url: string, subprotocol: string, events: LinkEvents): Link {
  const { environment, numbers } = host;
  const inbox: (() => void)[] = [];
  const handles = new Map<Place, Handle>();
  /** What the client said before the server did: the hello, for each transport that is tried. */
  const greeting: Encoded[] = [];
  let phase: LinkPhase = { kind: "over" };
  let isStepping = false;
  let timer: Cancel | undefined;
  let sinceMs = environment.elapsed();
  let greeted: Handle | undefined;
  let inUse: Handle | undefined;
  let isGreeting = false;
  let isReturned = false;
  let unwatch: Cancel | undefined;

  /** What happens meanwhile waits its turn, so a step is never cut in two. */
  const run = (task: () => void): void => {
    inbox.push(task);
    if (isStepping) return;
    isStepping = true;
    try {
      for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) next();
    } finally {
      isStepping = false;
    }
  };
  const isOver = (): boolean => phase.kind === "over";
  const facts = (): Facts => ({ chance: environment.random(), lastedMs: environment.elapsed() - sinceMs, isUnseen: host.attention.level() === "background" });
  const take = ({ phase: next, experience, effects, timer: nextTimer }: Step): void => {
    phase = next;
    host.experience = experience;
    if (next.kind === "over") unwatch?.();
    for (const effect of effects) carryOut(effect);
    if (nextTimer !== "keep") timer?.();
    if (typeof nextTimer === "number") timer = environment.after(nextTimer, () => dispatch({ type: "timer" }));
  };
  const dispatch = (event: LinkEvent): void => run(() => take(transition({ phase, experience: host.experience }, event, { numbers, ...facts() })));

  const carryOut = (effect: LinkEffect): void => {
    switch (effect.do) {
      case "start":
      case "probe":
        return start(effect.place);
      case "greet":
        return greet(handles.get(effect.place));
      case "release":
        return release(effect.place);
      case "use":
        inUse = handles.get(effect.place);
        sinceMs = environment.elapsed();
        return host.settled(effect.place, effect.why);
      case "renew":
        return events.renew?.();
      case "forget":
        return host.forget();
      case "end":
        inUse = undefined;
        if (isReturned) events.closed(effect.closeCode, effect.reason);
        return;
      default:
        return effect satisfies never;
    }
  };
  const start = (place: Place): void => {
    const handle: Handle = { hasSpoken: false };
    handles.set(place, handle);
    const isHeld = (): boolean => handles.get(place) === handle;
    const closed = (closeCode: number, reason: string): void => {
      if (!isHeld()) return;
      handles.delete(place);
      dispatch({ type: "closed", place, closeCode, reason });
    };
    const refused = (cause: unknown): void => closed(CLOSE_ABNORMAL, String(cause));
    const open = (transport: Transport): void => {
      if (!isHeld()) return;
      try {
        handle.link = transport.open(url, subprotocol, {
          opened: () => isHeld() && dispatch({ type: "opened", place }),
          message: (data) => hear(handle, place, data),
          closed,
        });
      } catch (cause) {
        refused(cause);
      }
    };
    try {
      const transport = host.transportAt(place);
      if (transport instanceof Promise) transport.then(open, refused);
      else open(transport);
    } catch (cause) {
      refused(cause);
    }
  };
  const hear = (handle: Handle, place: Place, data: Received): void => {
    if (handle === inUse && !isStepping) return events.message(data);
    if (isStepping) return void inbox.push(() => hear(handle, place, data));
    if (handles.get(place) !== handle) return;
    if (!handle.hasSpoken) {
      handle.hasSpoken = true;
      dispatch({ type: "spoke", place });
    }
    if (handle === inUse) events.message(data);
  };
  const greet = (handle: Handle | undefined): void => {
    greeted = handle;
    if (isGreeting) for (const message of greeting) handle?.link?.send(message);
    else {
      isGreeting = true;
      events.opened();
    }
  };
  const release = (place: Place): void => {
    const handle = handles.get(place);
    handles.delete(place);
    if (handle === inUse) inUse = undefined;
    handle?.link?.close(CLOSE_NORMAL, "");
  };

  unwatch = host.network.watch(() => dispatch({ type: "network" }));
  run(() => take(begin(host.experience, numbers)));
  if (isOver()) throw new TypeError("no transport can be begun");
  isReturned = true;
  return {
    send(data) {
      if (phase.kind === "trying") greeting.push(data);
      (inUse ?? greeted)?.link?.send(data);
    },
    close: () => dispatch({ type: "close" }),
  };
}
