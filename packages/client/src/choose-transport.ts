import type { Contract } from "@tutti/protocol";

export type TransportName = "websocket" | "sse" | "stream" | "long-poll" | "poll";

/** What an application needs of a transport. */
export interface TransportRequirements {
  /** `down`: clients only listen. */
  readonly direction: "down" | "two-way";
  /** How late something may be seen: within a second, within seconds, or within minutes. */
  readonly latency: "immediate" | "seconds" | "minutes";
  /** How often something happens to one client: many times a second, now and then, or hardly ever. */
  readonly frequency: "continuous" | "frequent" | "rare";
  /** Several people change the same thing at the same time. */
  readonly collaborative?: boolean;
  /** People see who else is there. */
  readonly presence?: boolean;
}

/** What is known of where a client runs. What is left out is taken to work: an adaptive transport finds out. */
export interface TransportEnvironment {
  /** Whether the platform has `WebSocket`. */
  readonly webSocket?: boolean;
  /** Whether the platform can read an answer's body while it arrives. */
  readonly streams?: boolean;
  /**
   * What stands in between, from lenient to strict: nothing that matters; something that strips `Upgrade` or blocks WebSockets; something that
   * also holds answers back until they are whole; something that also cuts requests that last.
   */
  readonly proxy?: "open" | "no-upgrade" | "buffering" | "short-requests";
  /** `program`: no page, so that nothing has to be an `EventSource`. */
  readonly platform?: "page" | "program";
}

/**
 * - `NOT_LIVE`: what needs to be live is polled for
 * - `REQUEST_PER_EVENT`: each event costs a request
 */
export type TransportWarningCode = "NOT_LIVE" | "REQUEST_PER_EVENT";

export interface TransportWarning {
  readonly code: TransportWarningCode;
  readonly message: string;
}

export interface TransportChoice {
  readonly transport: TransportName;
  /** What to try, one after the other; the first is `transport`. Fits `adaptiveTransport({ order })`. */
  readonly order: readonly TransportName[];
  /** Why, a sentence each: what fits, what keeps it and others from being used, and what follows. */
  readonly reasons: readonly string[];
  readonly warnings: readonly TransportWarning[];
}

type Proxy = NonNullable<TransportEnvironment["proxy"]>;
const strictness: readonly Proxy[] = ["open", "no-upgrade", "buffering", "short-requests"];

interface Trait {
  /** What the platform has to have for it. */
  readonly needs?: "webSocket" | "streams";
  /** The strictest proxy that it passes. */
  readonly passes: Proxy;
}

const traits: Readonly<Record<TransportName, Trait>> = {
  websocket: { needs: "webSocket", passes: "open" },
  sse: { needs: "streams", passes: "no-upgrade" },
  stream: { needs: "streams", passes: "no-upgrade" },
  "long-poll": { passes: "buffering" },
  poll: { passes: "short-requests" },
};

const lack: Readonly<Record<"webSocket" | "streams" | Exclude<Proxy, "open">, string>> = {
  webSocket: "the platform has no WebSocket",
  streams: "the platform cannot read an answer while it arrives",
  "no-upgrade": "a proxy lets no WebSocket through",
  buffering: "a proxy holds answers back until they are whole",
  "short-requests": "a proxy cuts requests that last",
};

/** What an application would take where everything works, the best first, and why. */
interface Wish {
  readonly order: readonly TransportName[];
  readonly reason: string;
}

function wishOf({ direction, latency, frequency, collaborative, presence }: TransportRequirements, platform: TransportEnvironment["platform"]): Wish {
  // What holds one of the two back holds the other back too: one of them in the order is enough.
  const streaming: TransportName = platform === "program" ? "stream" : "sse";
  if (collaborative || presence) {
    const what = collaborative ? "people work on the same thing" : "people see who is there";
    return { order: ["websocket", streaming, "long-poll", "poll"], reason: `${what}: both ends speak all the time, over one connection` };
  }
  if (latency === "minutes") {
    return { order: ["poll"], reason: "minutes are soon enough: asking now and then holds nothing open" };
  }
  if (latency === "seconds" && frequency === "rare") {
    return { order: ["long-poll", "poll"], reason: "little happens, and seconds are soon enough: a request that waits passes any proxy" };
  }
  if (direction === "down") {
    return { order: [streaming, "websocket", "long-poll", "poll"], reason: "only the server speaks: one answer that goes on, over plain HTTP" };
  }
  return { order: ["websocket", streaming, "long-poll", "poll"], reason: "both ends speak: one connection, without a request for each message" };
}

/** What keeps a transport from being used there; `undefined`: nothing that is known. */
function obstacleTo(name: TransportName, environment: TransportEnvironment): string | undefined {
  const { needs, passes } = traits[name];
  if (needs !== undefined && environment[needs] === false) return lack[needs];
  const { proxy = "open" } = environment;
  if (strictness.indexOf(proxy) <= strictness.indexOf(passes)) return undefined;
  // Of what a strict proxy does, that which this transport trips over first.
  const first = strictness[strictness.indexOf(passes) + 1];
  return first === undefined || first === "open" ? undefined : lack[first];
}

/** What a developer should know where the transport of this name is used for that. */
export function warningFor(transport: string, { latency, frequency, collaborative, presence }: TransportRequirements): TransportWarning | undefined {
  const isLive = latency === "immediate" || frequency === "continuous" || collaborative === true || presence === true;
  if (transport === "poll" && (isLive || latency === "seconds")) {
    const what = collaborative ? "what people do together" : presence ? "presence" : "what has to be live";
    return { code: "NOT_LIVE", message: `polling shows ${what} 2 to 60 s late` };
  }
  if (transport === "long-poll" && frequency === "continuous") {
    return { code: "REQUEST_PER_EVENT", message: "what happens many times a second costs a request each time" };
  }
  return undefined;
}

/**
 * Which transport fits, and why. Pure. Without anything known of the environment it says what to try first; `adaptiveTransport({ order })` finds out
 * the rest.
 *
 * @example
 * const { transport, order, reasons, warnings } = chooseTransport(requirementsOf(contract), { proxy: "no-upgrade" });
 */
export function chooseTransport(requirements: TransportRequirements, environment: TransportEnvironment = {}): TransportChoice {
  const { order: wanted, reason } = wishOf(requirements, environment.platform);
  const obstacles = wanted.map((name) => ({ name, obstacle: obstacleTo(name, environment) }));
  const order = obstacles.filter(({ obstacle }) => obstacle === undefined).map(({ name }) => name);
  // A request that is answered at once passes everything.
  const transport = order[0] ?? "poll";
  const reasons = [`${wanted[0] ?? transport} fits: ${reason}`];
  for (const { name, obstacle } of obstacles) if (obstacle !== undefined) reasons.push(`not ${name}: ${obstacle}`);
  if (transport !== wanted[0]) reasons.push(`${transport} is the next best`);
  const warning = warningFor(transport, requirements);
  return { transport, order: order.length > 0 ? order : [transport], reasons, warnings: warning === undefined ? [] : [warning] };
}

/**
 * What a contract shows of what its application needs. It does not say who publishes, nor how often: that is two-way and frequent, unless `known`
 * says otherwise.
 */
export function requirementsOf({ definition }: Contract, known: Partial<TransportRequirements> = {}): TransportRequirements {
  const channels = Object.values(definition.channels);
  const isContinuous = channels.some(({ signals = {} }) => Object.keys(signals).length > 0);
  const collaborative = channels.some(({ state }) => state !== undefined);
  const presence = channels.some((channel) => channel.presence !== undefined);
  const isImmediate = isContinuous || collaborative || presence;
  return { direction: "two-way", latency: isImmediate ? "immediate" : "seconds", frequency: isContinuous ? "continuous" : "frequent", collaborative, presence, ...known };
}
