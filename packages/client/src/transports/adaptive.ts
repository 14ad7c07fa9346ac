import { present, type Environment } from "@tutti/protocol";
import type { NetworkWatch } from "../adaptive/adaptive-link.js";
import { makeAdaptiveTransport, type AdaptiveTransport, type TransportMemory, type TransportSource } from "../adaptive/adaptive-transport.js";
import type { Attention } from "../adaptive/attention.js";
import { adaptiveNumbers, type AdaptiveNumbers } from "../adaptive/experience.js";
import { browserEnvironment } from "../browser-environment.js";
import type { TransportName, TransportRequirements } from "../choose-transport.js";
import { pageAttention, pageMemory, pageNetwork } from "./page.js";
import type { Fetch } from "./http/fetch.js";
import { webSocketTransport, type WebSocketTransportOptions } from "./websocket.js";

export interface AdaptiveTransportOptions extends Partial<AdaptiveNumbers>, WebSocketTransportOptions {
  /**
   * What to choose from, the best first: names, of which all but `websocket` are loaded when they are tried for the first time, or transports of the
   * application's own. `websocket`, `sse`, `long-poll`, `poll`, unless given; `chooseTransport` says what fits.
   */
  readonly order?: readonly (TransportName | TransportSource)[];
  /** What `client.transport.warning` is to warn of where it is not met. */
  readonly requirements?: TransportRequirements;
  /** For the transports over HTTP; the platform's, unless given. */
  readonly fetch?: Fetch;
  readonly environment?: Environment;
  /** Who looks at the page; the page itself knows. */
  readonly attention?: Attention;
  readonly network?: NetworkWatch;
  /** Where it is remembered what worked last; `localStorage`. */
  readonly memory?: TransportMemory;
}

const defaultOrder: readonly TransportName[] = ["websocket", "sse", "long-poll", "poll"];

/**
 * A transport that finds out which of several works here: it tries them one after the other, remembers what worked, and comes back to a better one
 * when that can be had; what the client has goes on from one to the other. One for each client.
 *
 * @throws TypeError where `order` is empty
 * @example
 * const client = createClient({ url: "/v1/connect", contract, transport: adaptiveTransport() });
 * client.on("status", () => show(client.transport.name, client.transport.reason));
 */
export function adaptiveTransport(options: AdaptiveTransportOptions = {}): AdaptiveTransport {
  const { order = defaultOrder, requirements, environment = browserEnvironment(), attention = pageAttention(), network = pageNetwork(), memory = pageMemory(), ...rest } = options;
  const { WebSocket, fetch, ...numbers } = rest;
  const overHttp = { environment, ...present({ fetch }) };
  const named: Readonly<Record<TransportName, () => ReturnType<TransportSource["load"]>>> = {
    websocket: () => webSocketTransport({ WebSocket }),
    sse: async () => (await import("./http/sse.js")).sseTransport(overHttp),
    stream: async () => (await import("./http/stream.js")).streamTransport(overHttp),
    "long-poll": async () => (await import("./http/long-poll.js")).longPollTransport(overHttp),
    poll: async () => (await import("./http/poll.js")).pollTransport({ ...overHttp, attention }),
  };
  const sources = order.map((each) => (typeof each === "string" ? { name: each, opensBlindly: each !== "websocket", load: named[each] } : each));
  return makeAdaptiveTransport({ sources, environment, attention, network, memory, requirements, numbers: { ...adaptiveNumbers, ...present(numbers) } });
}
