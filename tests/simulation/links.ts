import { jsonCodec, type Codec } from "@tutti/protocol";
import type { Transport } from "@tutti/client";
import { longPollTransport } from "@tutti/client/long-poll";
import { pollTransport } from "@tutti/client/poll";
import { sseTransport } from "@tutti/client/sse";
import { streamTransport } from "@tutti/client/stream";
import type { Participant, SimulatedNetwork } from "@tutti/testkit";

/** What a page may connect by. */
export const linkNames = ["websocket", "sse", "stream", "long-poll", "poll"] as const;
export type LinkName = (typeof linkNames)[number];

export const isPolled = (name: LinkName): boolean => name === "long-poll" || name === "poll";

/** Soon enough for who has to be at the head shortly after the last fault. */
const INTERVAL_MS = 1_000;
const intervals = { lookedAtMs: INTERVAL_MS, unknownMs: INTERVAL_MS, backgroundMs: INTERVAL_MS };

interface LinkParts {
  readonly name: LinkName;
  readonly network: SimulatedNetwork;
  readonly page: Participant;
  /** What it would speak over a WebSocket; over HTTP all is JSON. */
  readonly codec: Codec;
}

/** How a page connects. */
export function linkOf({ name, network, page, codec }: LinkParts): { readonly transport: Transport; readonly codec: Codec } {
  if (name === "websocket") return { transport: network.transport(page, codec), codec };
  const options = { fetch: network.fetch(page), environment: page };
  const makers = { sse: sseTransport, stream: streamTransport, "long-poll": longPollTransport, poll: () => pollTransport({ ...options, intervals }) };
  return { transport: makers[name](options), codec: jsonCodec };
}
