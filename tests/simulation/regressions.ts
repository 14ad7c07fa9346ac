/** A seed that once broke a promise, the faults it ran under, and what was wrong. */
export interface Regression {
  readonly seed: number;
  readonly profile: string;
  readonly story: string;
  /** As many as the profile is for unless given. */
  readonly nodes?: number;
}

/** Seeds change their course with the product, so they are kept for their stories too: each is a fault that somebody thought of too late. */
export const regressions: readonly Regression[] = [
  { seed: 25, profile: "history", story: "a node that found a gap told it to a subscription that had read past it" },
  { seed: 670, profile: "broker", story: "a channel was closed as idle while its first subscriber waited for a slow broker to open it" },
  { seed: 1468, profile: "mixed", story: "a hello that was held up ended the connection that its client had opened since" },
  { seed: 897, profile: "mixed", story: "a subscription paused for longer than the promise to be at the head allows" },
  { seed: 82, profile: "mixed", story: "a change of presence overtook the subscription that mended a hole, and was given up" },
  { seed: 788, profile: "frames", story: "who left presence while subscribing again stayed in the list" },
  { seed: 123, profile: "frames", story: "a subscription that ended while it paused was never ended at the server" },
  { seed: 11, profile: "mixed", story: "a gap began where the server was, and not where the client was" },
  { seed: 2778, profile: "mixed", story: "a subscribe that mends a hole crossed a kick, and the server took the member in again" },
  { seed: 64, profile: "storage", story: "a user who came back after another one was given counts that had been given out" },
  { seed: 262, profile: "storage", story: "a page that went on with the session of another user started over without telling a gap" },
  { seed: 11, profile: "failover", story: "a node took what followed in a log that was rolled back for what came next" },
  { seed: 185, profile: "mixed", story: "what was sent a month ago was sent again, to a broker that had forgotten it" },
  { seed: 73557, profile: "mixed", story: "a page from the cache showed a publish twice whose event another page had seen for it" },
  { seed: 2851, profile: "mixed", story: "a node in an epoch that was over trimmed the log of the next one" },
  { seed: 340606, profile: "mixed", story: "whoever was refused presence, and lost the connection before the subscription was ended, was taken for one who is there" },
  { seed: 9548, profile: "failover", nodes: 3, story: "a node that had not noticed that the log was rolled back saved its state, and trimmed what nobody else could do without" },
  { seed: 60490, profile: "cluster", nodes: 3, story: "a revoke that came first in the log of a broker that had lost its data ended nothing at the other nodes, which said that it had" },
  { seed: 8151, profile: "cluster", nodes: 3, story: "an event that came twice, before a gap that began where the client no longer was, was shown twice" },
  { seed: 1360, profile: "failover", story: "a page was told a place and not the event there, which was forgotten, and did not see that the log had lost it" },
  { seed: 141, profile: "failover", nodes: 3, story: "the same, on a channel with state" },
  { seed: 1259, profile: "failover", nodes: 3, story: "the same, at several nodes" },
  { seed: 1082, profile: "failover", nodes: 3, story: "a page that read what was lost joined its node where that had heard of another event" },
  { seed: 174, profile: "failovers", nodes: 3, story: "a snapshot that was saved went with the tail of the log, and what it held was trimmed all the same" },
  { seed: 761971, profile: "mixed", story: "a log of commands that went on under another epoch kicked everybody again whom it had kicked before" },
  { seed: 2253, profile: "cluster", nodes: 3, story: "a node whose clock was ahead took each session token of another one for too old, and who polled opened again for ever" },
  { seed: 2254, profile: "cluster", nodes: 3, story: "the same: the link was there again just before the end, and the subscription was not" },
  { seed: 2949, profile: "cluster", nodes: 3, story: "the same, and nothing that was published was ever answered" },
  { seed: 3084, profile: "cluster", nodes: 3, story: "the same, with a page from the cache" },
  { seed: 1485, profile: "cluster", nodes: 3, story: "the same, at the end: a goodbye was refused, and the channel was kept for a member who was taken for away" },
  { seed: 2699, profile: "cluster", nodes: 3, story: "the same goodbye, in a short run" },
  { seed: 2810, profile: "cluster", nodes: 3, story: "the same goodbye, after the session had gone on once before" },
  { seed: 41903, profile: "cluster", nodes: 3, story: "a link that was cut kept a publish for a month, when the broker had forgotten its key; no network does" },
];
