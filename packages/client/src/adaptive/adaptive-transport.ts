import type { Environment } from "@tutti/protocol";
import { warningFor, type TransportRequirements } from "../choose-transport.js";
import { makeStore, type ReadonlyStore } from "../store.js";
import type { PassedOver, Transport, TransportInfo } from "../transport.js";
import { openAdaptiveLink, type AdaptiveHost, type NetworkWatch } from "./adaptive-link.js";
import type { Attention } from "./attention.js";
import { freshExperience, outcomeAt, type AdaptiveNumbers, type Experience, type Place } from "./experience.js";
import type { Why } from "./link-machine.js";

/** A transport that is loaded when it is tried for the first time. */
export interface TransportSource {
  readonly name: string;
  /** Its links open without having asked anybody: whether it works is known only after the hello. */
  readonly opensBlindly?: boolean;
  /** @throws or rejects where the platform does not have what it takes, which is as if it had been refused */
  load(): Transport | Promise<Transport>;
}

/** What is remembered from page to page, by key; a page without permission to store remembers nothing. */
export interface TransportMemory {
  /** What `remember` was told last, or `""`. */
  recall(key: string): string;
  remember(key: string, value: string): void;
}

/** A transport that chooses one of several, and goes on choosing. */
export interface AdaptiveTransport extends Transport {
  /** Which one is in use, and why; `client.transport` says the same. */
  readonly inUse: ReadonlyStore<TransportInfo>;
}

export interface AdaptiveParts {
  /** The best first; each tried at most once in an attempt. */
  readonly sources: readonly TransportSource[];
  readonly environment: Pick<Environment, "now" | "elapsed" | "after" | "random">;
  readonly attention: Attention;
  readonly network: NetworkWatch;
  readonly memory: TransportMemory;
  readonly numbers: AdaptiveNumbers;
  /** What is to be warned of where it is not met. */
  readonly requirements?: TransportRequirements | undefined;
}

const reasons: Readonly<Record<Why, string>> = {
  first: "it is the first choice",
  worked: "it worked last",
  fallback: "those before it did not work",
  regained: "it works again",
};

/** @throws TypeError without a transport to choose from */
export function makeAdaptiveTransport({ sources, environment, attention, network, memory, numbers, requirements }: AdaptiveParts): AdaptiveTransport {
  if (sources.length === 0) throw new TypeError("no transport to choose from");
  const blind = [...sources.keys()].filter((place) => sources[place]?.opensBlindly);
  const loaded = new Map<Place, Transport>();
  let info: TransportInfo = { name: "none" };
  // What a listener throws reaches who looks after the errors of the page or the process.
  const report = (cause: unknown): void =>
    void environment.after(0, () => {
      throw cause;
    });
  const inUse = makeStore(report, () => info);
  let host: AdaptiveHost | undefined;

  const load = (place: Place): Transport | Promise<Transport> => {
    const known = loaded.get(place);
    const source = sources[place];
    if (known !== undefined) return known;
    if (source === undefined) throw new TypeError("there is no such transport");
    const keep = (transport: Transport): Transport => {
      loaded.set(place, transport);
      return transport;
    };
    const transport = source.load();
    return transport instanceof Promise ? transport.then(keep) : keep(transport);
  };
  const describe = (experience: Experience, place: Place, why: Why): TransportInfo => {
    const name = sources[place]?.name ?? "none";
    const passedOver = sources.slice(0, place).flatMap((source, index) => passedOverFor(source.name, experience, index));
    return { name, reason: reasons[why], passedOver, warning: requirements && warningFor(name, requirements) };
  };
  /** One client has one URL; what is known of it is known from the first link on. */
  const hostFor = (url: string): AdaptiveHost => {
    const key = `tutti:transport ${url}`;
    const made: AdaptiveHost = {
      environment,
      attention,
      network,
      numbers,
      experience: freshExperience({ count: sources.length, blind, worked: recalled(memory.recall(key)) }),
      transportAt: load,
      settled(place, why) {
        info = describe(made.experience, place, why);
        memory.remember(key, `${environment.now() + numbers.rememberedMsMax} ${info.name}`);
        inUse.changed();
      },
      forget: () => memory.remember(key, ""),
    };
    return made;
  };
  /** The place of what worked last, as long as that counts. A clock that jumped is no reason to remember longer. */
  const recalled = (remembered: string): Place | undefined => {
    const [until = "", name] = remembered.split(" ");
    const leftMs = Number(until) - environment.now();
    const place = sources.findIndex((source) => source.name === name);
    return leftMs > 0 && leftMs <= numbers.rememberedMsMax && place !== -1 ? place : undefined;
  };

  return {
    inUse,
    get name() {
      return info.name;
    },
    get reason() {
      return info.reason;
    },
    get passedOver() {
      return info.passedOver;
    },
    get warning() {
      return info.warning;
    },
    open: (url, subprotocol, events) => openAdaptiveLink((host ??= hostFor(url)), url, subprotocol, events),
  };
}

function passedOverFor(name: string, experience: Experience, place: Place): readonly PassedOver[] {
  const outcome = outcomeAt(experience, place);
  return outcome === "unknown" || outcome === "works" || outcome === "available" ? [] : [{ name, outcome }];
}
