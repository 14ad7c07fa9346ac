import type { LastSeen, Position } from "@tutti/protocol";
import type { Broker, EventRun, Head, Outcome, Page } from "@tutti/server";

/** A broker that counts 0, 7, 14, …, as one does whose positions are places in a file or in a log that it shares with others. */
export function jumpingBroker(inner: Broker, by = 7): Broker {
  const out = <P extends Position>(position: P): P => ({ ...position, seq: position.seq * by });
  /** Between two places what comes after is what comes after the first of them. */
  const into = <P extends LastSeen>(position: P): P => ({ ...position, seq: Math.floor(position.seq / by) });
  const outRun = ({ epoch, events }: EventRun): EventRun => ({ epoch, events: events.map((event) => ({ ...event, seq: event.seq * by, prev: event.prev * by })) });
  const outOutcome = (outcome: Outcome): Outcome => {
    if (outcome.outcome === "appended" || outcome.outcome === "repeat") return { ...outcome, position: out(outcome.position) };
    return outcome.outcome === "conflict" ? { ...outcome, head: out(outcome.head) } : outcome;
  };
  const outPage = (page: Page): Page => (page.outcome === "page" ? { ...page, run: outRun(page.run), head: out(page.head) } : { ...page, floor: out(page.floor), head: out(page.head) });
  const outHead = ({ position, floor }: Head): Head => ({ position: out(position), floor: floor * by });
  return {
    append: async (channel, { expected, ...request }) => outOutcome(await inner.append(channel, { ...request, ...(expected && { expected: into(expected) }) })),
    refuse: async (...asked) => outOutcome(await inner.refuse(...asked)),
    lookup: async (...asked) => {
      const known = await inner.lookup(...asked);
      return known && outOutcome(known);
    },
    read: async (channel, after, options) => outPage(await inner.read(channel, into(after), options)),
    head: async (channel) => outHead(await inner.head(channel)),
    heads: async (channels) => (await inner.heads(channels)).map(outHead),
    locate: async (channel, back) => out(await inner.locate(channel, back)),
    trim: (channel, upTo, keep) => inner.trim(channel, into(upTo), keep),
    subscribe: (channel, listener) => inner.subscribe(channel, (run) => listener(outRun(run))),
    broadcast: (...asked) => inner.broadcast(...asked),
    listen: (...asked) => inner.listen(...asked),
    saveSnapshot: (channel, snapshot) => inner.saveSnapshot(channel, { ...snapshot, position: into(snapshot.position) }),
    loadSnapshot: async (channel) => {
      const snapshot = await inner.loadSnapshot(channel);
      return snapshot && { ...snapshot, position: out(snapshot.position) };
    },
    close: () => inner.close(),
  };
}
