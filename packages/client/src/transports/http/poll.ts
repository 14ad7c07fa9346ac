import type { Attention } from "../../adaptive/attention.js";
import { makePollPace, pollIntervals, type PollIntervals } from "../../adaptive/poll-pace.js";
import type { Transport } from "../../transport.js";
import { httpTransport, type HttpTransportOptions, type LinkSide } from "./http-link.js";
import { pollDownlink } from "./poll-downlink.js";

/** What the server believes of an interval. */
const INTERVAL_S_MAX = 120;

export interface PollTransportOptions extends HttpTransportOptions {
  /** Who looks at the page, and so how often to ask. Without it nobody knows. */
  readonly attention?: Attention;
  readonly intervals?: Partial<PollIntervals>;
}

/** Questions at intervals, none of which waits: for networks that cut whatever takes long. What has to be live is not, between two of them. */
export function pollTransport({ attention, intervals, ...options }: PollTransportOptions = {}): Transport {
  const longestMs = Math.max(...Object.values({ ...pollIntervals, ...intervals }));
  const intervalS = Math.min(INTERVAL_S_MAX, Math.max(1, Math.ceil(longestMs / 1_000)));
  const make = (side: LinkSide) => {
    const pace = makePollPace({ environment: side.environment, attention, intervals });
    side.signal.addEventListener("abort", () => pace.stop(), { once: true });
    return pollDownlink(side, {
      waitS: 0,
      due: ({ retryAfterMs }) => new Promise((resolve) => pace.next(resolve, retryAfterMs)),
      hurry: () => pace.hurry(),
    });
  };
  return httpTransport({ name: "poll", accept: "application/json", query: `?interval=${intervalS}`, make }, options);
}

export type { Fetch, FetchInit, FetchResponse } from "./fetch.js";
export type { HttpTransportOptions } from "./http-link.js";
