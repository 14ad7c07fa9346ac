import type { Transport } from "../../transport.js";
import { makeAlarm } from "./alarm.js";
import { httpTransport, type HttpTransportOptions, type LinkSide } from "./http-link.js";
import { pollDownlink } from "./poll-downlink.js";

const WAIT_S = 25;
/** An answer that brings nothing, and comes sooner than this, was not waited for. */
const EMPTY_MS_MIN = 1_000;

/** Questions that wait for their answer: as live as a stream, and nothing that a proxy could hold back. */
export function longPollTransport(options: HttpTransportOptions = {}): Transport {
  return httpTransport({ name: "long-poll", accept: "application/json", query: "", make }, options);
}

function make(side: LinkSide) {
  const alarm = makeAlarm(side.environment);
  side.signal.addEventListener("abort", () => alarm.ring(), { once: true });
  return pollDownlink(side, {
    waitS: WAIT_S,
    // Whoever answers at once, again and again, is not to be asked as often as it can.
    due: ({ messages, tookMs }) => (messages.length > 0 || tookMs >= EMPTY_MS_MIN ? Promise.resolve() : alarm.pause(EMPTY_MS_MIN)),
  });
}

export type { Fetch, FetchInit, FetchResponse } from "./fetch.js";
export type { HttpTransportOptions } from "./http-link.js";
