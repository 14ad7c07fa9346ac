import { TuttiError, type ClientFrameOf, type SubscriptionStart, type WireEvent } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { makeRequests, type OutgoingFrame } from "../src/requests.js";
import { makeSubscription, type Gap } from "../src/subscription.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { at } from "./support/fake-server.js";
import { notes } from "./support/notes.js";
import { outcome } from "./support/stage.js";

/** A subscription to a channel without state, and what it asks of its server. */
class Feed {
  readonly environment = new FakeEnvironment();
  readonly asked: ClientFrameOf<"subscribe">[] = [];
  readonly starts: (Gap | "without a gap")[] = [];
  readonly seqs: number[] = [];
  isUp = true;
  readonly #requests = makeRequests(
    this.environment,
    (frame) => this.asked.push(subscribeFrame(frame)),
    10_000,
    () => {},
  );
  readonly subscription = makeSubscription(
    "feed:1",
    { environment: this.environment, requests: this.#requests, isUp: () => this.isUp, report: () => {}, config: { guards: {} } },
    {
      wish: () => ({}),
      started: (_start, gap) => this.starts.push(gap ?? "without a gap"),
      event: ({ position }) => this.seqs.push(position.seq),
      passed: () => {},
      live: () => {},
      ended: () => {},
    },
  );

  /** What was asked last: where from. */
  get from() {
    const { since, rewind } = this.asked.at(-1) ?? {};
    return { since, rewind };
  }

  answer(start: SubscriptionStart): void {
    this.#requests.answer({ op: "reply", correlationId: this.asked.at(-1)?.correlationId ?? "", success: true, data: start });
  }

  events(seq: number, ...events: readonly WireEvent[]): void {
    this.subscription.batch({ op: "events", channel: "feed:1", ...at(seq), events });
  }

  reconnect(): void {
    this.isUp = false;
    this.subscription.lineDown();
    this.isUp = true;
    this.subscription.lineUp();
  }
}

function subscribeFrame(frame: OutgoingFrame): ClientFrameOf<"subscribe"> {
  if (frame.op !== "subscribe") throw new Error(`sent a ${frame.op}`);
  return frame as ClientFrameOf<"subscribe">;
}

describe("a subscription that starts behind the head", () => {
  it("REC-9 asks with rewind until it has a position, over reconnects too, and from its position then", async () => {
    const feed = new Feed();
    const live = feed.subscription.start(false, { rewind: { count: 50 } });
    expect(feed.from).toEqual({ since: undefined, rewind: { count: 50 } });
    feed.reconnect();
    expect(feed.asked).toHaveLength(2);
    expect(feed.from).toEqual({ since: undefined, rewind: { count: 50 } });
    feed.answer({ position: at(7) });
    expect(await outcome(live)).toBeUndefined();
    feed.events(8, ...notes(8, 9));
    feed.reconnect();
    expect(feed.from).toEqual({ since: { ...at(9), eventId: "other:9" }, rewind: undefined });
    expect([feed.seqs, feed.starts]).toEqual([[8, 9], ["without a gap"]]);
  });

  it("REC-9 goes on from the position that the application kept, and tells of a gap behind it", () => {
    const feed = new Feed();
    const since = { ...at(41), eventId: "other:41" };
    void feed.subscription.start(false, { since });
    expect(feed.from).toEqual({ since, rewind: undefined });
    feed.answer({ position: at(41) });
    feed.events(42, ...notes(42, 42));
    expect([feed.seqs, feed.starts]).toEqual([[42], []]);
    const late = new Feed();
    void late.subscription.start(false, { since });
    late.answer({ position: at(60), gap: { from: at(41), to: at(60) } });
    expect(late.starts).toEqual([{ from: at(41), to: at(60) }]);
  });

  it("REC-9 takes no other start where it has a position", () => {
    const feed = new Feed();
    void feed.subscription.start(false);
    feed.answer({ position: at(7) });
    void feed.subscription.start(true, { rewind: { count: 50 } });
    expect(feed.from).toEqual({ since: at(7), rewind: undefined });
  });

  it("REC-9 asks anew where the first ask, still under way, was for another start", () => {
    const feed = new Feed();
    void feed.subscription.start(false);
    void feed.subscription.start(false, { rewind: { ageMs: 60_000 } });
    expect(feed.asked).toHaveLength(2);
    expect(feed.from).toEqual({ since: undefined, rewind: { ageMs: 60_000 } });
  });

  it("REC-9 forgets the rewind when it ends: the next subscription starts as it is told", () => {
    const feed = new Feed();
    void feed.subscription.start(false, { rewind: { count: 50 } }).catch(() => {});
    feed.subscription.end({ status: "unsubscribed" }, new TuttiError("NOT_SUBSCRIBED"));
    void feed.subscription.start(false);
    expect(feed.from).toEqual({ since: undefined, rewind: undefined });
  });
});
