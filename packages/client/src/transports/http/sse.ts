import { createParser } from "eventsource-parser";
import type { Transport } from "../../transport.js";
import { httpTransport, type HttpTransportOptions } from "./http-link.js";
import { streamDownlink, type Feed, type StreamEvents } from "./stream-downlink.js";

/** Server-sent events: one answer that goes on, which proxies know. */
export function sseTransport(options: HttpTransportOptions = {}): Transport {
  return httpTransport({ name: "sse", accept: "text/event-stream", query: "", make: (side) => streamDownlink(side, feedEvents) }, options);
}

function feedEvents({ message, record }: StreamEvents): Feed {
  const parser = createParser({
    onEvent({ event, data }) {
      if (event === undefined) message(data);
      // What else a newer server may say was not asked for.
      else if (event === "open" || event === "close") record(event, JSON.parse(data));
    },
  });
  return (slice) => parser.feed(slice);
}

export type { Fetch, FetchInit, FetchResponse } from "./fetch.js";
export type { HttpTransportOptions } from "./http-link.js";
