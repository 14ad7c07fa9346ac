import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { memoryBroker, silentLog, type Broker } from "@tutti/server";
import { Bus } from "../src/bus/bus.js";
import { Forwarder, type Poll, type PollAnswer, type UplinkMessages } from "../src/sessions/forwarding.js";
import type { Nodes } from "../src/bus/nodes.js";
import { SessionTokens } from "../src/sessions/session-token.js";
import { FaultyBroker } from "./support/faulty-broker.js";
import { ManualEnvironment } from "./support/manual-environment.js";

const session = "s".repeat(22);
const BOUNDS = { forwardTimeoutMs: 2_000, forwardsMax: 4, pollsForwardedMax: 2, messageBytesMax: 1_000, sessionTokenMs: 3_600_000 };
const KEYS = ["the key of all nodes, of 32 bytes and more"];

interface Surroundings {
  readonly environment: ManualEnvironment;
  readonly broker: Broker;
  readonly living: ReadonlySet<string>;
  readonly keys: readonly string[] | undefined;
}

/** What a client sends. */
const said = (text: string): UplinkMessages => ({ number: 1, text });

/** A node with a connection that is held: what comes for it is kept. */
class HoldingNode {
  readonly taken: string[] = [];
  readonly polls: { readonly poll: Poll; readonly answer: PollAnswer }[] = [];
  readonly warnings: string[] = [];
  readonly bus: Bus;
  readonly forwarder: Forwarder;
  readonly tokens: SessionTokens;
  /** What the connection does with a message, beside keeping it. */
  receive: () => Promise<void> | void = () => {};
  /** A node is taken for dead. */
  bury = (_node: string): void => {};

  constructor(name: string, { environment, broker, living, keys }: Surroundings) {
    const log = { ...silentLog, warn: (message: string) => void this.warnings.push(message) };
    this.bus = new Bus({ node: name, environment, broker, log });
    this.bus.isAlone = false;
    this.tokens = new SessionTokens({ node: name, environment, keys });
    const nodes: Pick<Nodes, "hear" | "has" | "watch"> = {
      has: (node) => living.has(node) && node !== name,
      watch: (watcher) => {
        this.bury = (node) => watcher({ type: "gone", why: "silent", node: { id: node, incarnation: 1, since: 0, self: false } });
        return () => {};
      },
      hear: (listener) => {
        void this.bus.hear(`node:${name}`, listener);
        return () => {};
      },
    };
    this.forwarder = new Forwarder({ environment, bounds: BOUNDS, bus: this.bus, log, nodes, tokens: this.tokens });
  }

  /** A connection is held; its token, and what ends it. */
  hold(ordinal = 1): { readonly token: string; readonly end: () => void } {
    const place = { session, ordinal };
    const receive = ({ text }: UplinkMessages): Promise<void> | void => {
      this.taken.push(text);
      return this.receive();
    };
    const poll = (asked: Poll, answer: PollAnswer): void => void this.polls.push({ poll: asked, answer });
    return { token: this.tokens.issue(place), end: this.forwarder.hold(place, { receive, poll }) };
  }
}

function cluster(given: readonly string[] | "none" = KEYS) {
  const keys = given === "none" ? undefined : given;
  const environment = new ManualEnvironment();
  const broker = new FaultyBroker(memoryBroker({ environment }));
  const living = new Set(["node-a", "node-b", "node-c"]);
  const node = (name: string): HoldingNode => new HoldingNode(name, { environment, broker, living, keys });
  const [a, b, c] = [node("node-a"), node("node-b"), node("node-c")];
  const settle = (): Promise<void> => environment.settle();
  /** What another node says, whatever it is. */
  const say = async (message: object, sender = "node-c"): Promise<void> => {
    await broker.broadcast("node:node-a", JSON.stringify({ node: sender, incarnation: 1, message }));
    await settle();
  };
  return { environment, broker, living, a, b, c, settle, say };
}

/** What becomes of a message: its code, `taken`, or `waiting` for now. */
function outcome(forwarded: Promise<void>): { now: string } {
  const known = { now: "waiting" };
  forwarded.then(
    () => (known.now = "taken"),
    (error: unknown) => (known.now = error instanceof TuttiError ? error.code : "no TuttiError"),
  );
  return known;
}

describe("what comes with a session token", () => {
  it("SES-7 reaches the connection at its own node, and from any other", async () => {
    const { a, b, c, settle } = cluster();
    const { token } = a.hold();
    const all = [a.forwarder.forward(token, said("here")), b.forwarder.forward(token, said("from b")), c.forwarder.forward(token, said("from c"))].map(outcome);
    await settle();
    expect(all.map(({ now }) => now)).toEqual(["taken", "taken", "taken"]);
    expect(a.taken).toEqual(["here", "from b", "from c"]);
  });

  it("SES-7 is answered when the connection has taken it, and as it refuses", async () => {
    const { a, b, settle } = cluster();
    const { token } = a.hold();
    let take = (): void => {};
    a.receive = () => new Promise((resolve) => (take = resolve));
    const slow = outcome(b.forwarder.forward(token, said("slow")));
    await settle();
    expect(slow.now).toBe("waiting");
    take();
    await settle();
    expect(slow.now).toBe("taken");
    a.receive = () => Promise.reject(new TuttiError("RATE_LIMITED"));
    await expect(Promise.all([b.forwarder.forward(token, said("too much")), settle()])).rejects.toMatchObject({ code: "RATE_LIMITED" });
    a.receive = () => {
      throw new Error("a password in a message");
    };
    await expect(Promise.all([b.forwarder.forward(token, said("bad")), settle()])).rejects.toMatchObject({ code: "INTERNAL", message: expect.not.stringContaining("password") });
  });

  it("SES-7 arrives in the order in which a node was given it", async () => {
    const { a, b, settle } = cluster();
    const { token } = a.hold();
    const values = ["1", "2", "3", "4"];
    for (const value of values) void b.forwarder.forward(token, said(value));
    await settle();
    expect(a.taken).toEqual(values);
  });

  it("SES-7 arrives once, and not behind what came after it, whatever the bus repeats and swaps", async () => {
    const { a, say } = cluster();
    a.hold();
    const message = (number: number) => ({ kind: "session:forward", number, session, ordinal: 1, request: { uplink: said(`${number}`) } });
    for (const number of [1, 1, 3, 2, 3, 4, 1]) await say(message(number));
    expect(a.taken).toEqual(["1", "3", "4"]);
    // Each node counts by itself.
    await say(message(2), "node-b");
    expect(a.taken).toEqual(["1", "3", "4", "2"]);
  });

  it("SES-7 is SESSION_MOVED where the connection is gone, another session has it, or it is another one of the session", async () => {
    const { a, b, settle } = cluster();
    const { token, end } = a.hold(1);
    const foreign = b.forwarder.forward(a.tokens.issue({ session: "t".repeat(22), ordinal: 1 }), said("not mine"));
    const later = b.forwarder.forward(a.tokens.issue({ session, ordinal: 2 }), said("not this one"));
    end();
    const late = b.forwarder.forward(token, said("too late"));
    const here = a.forwarder.forward(token, said("too late here"));
    const all = [foreign, later, late, here].map(outcome);
    await settle();
    expect(all.map(({ now }) => now)).toEqual(Array(4).fill("SESSION_MOVED"));
    expect(a.taken).toEqual([]);
  });

  it("SES-7 is SESSION_MOVED at once where its node is not known to live", async () => {
    const { a, b, living, broker } = cluster();
    const { token } = a.hold();
    living.delete("node-a");
    const told = broker.countOf("broadcast");
    await expect(b.forwarder.forward(token, said("for the dead"))).rejects.toMatchObject({ code: "SESSION_MOVED" });
    expect(broker.countOf("broadcast")).toBe(told);
  });

  it("SES-7 is SESSION_MOVED after forwardTimeoutMs where nobody answers, and an answer that comes later is nobody's", async () => {
    const { a, b, environment, settle, broker } = cluster();
    const { token } = a.hold();
    let take = (): void => {};
    a.receive = () => new Promise((resolve) => (take = resolve));
    const asked = outcome(b.forwarder.forward(token, said("no answer")));
    await environment.advance(1_999);
    expect(asked.now).toBe("waiting");
    await environment.advance(1);
    expect([asked.now, b.forwarder.waitingCount, environment.timerCount]).toEqual(["SESSION_MOVED", 0, 0]);
    take();
    await settle();
    a.receive = () => {};
    // The broker takes nothing: nobody hears it.
    broker.failNext("broadcast");
    const lost = outcome(b.forwarder.forward(token, said("lost")));
    await environment.advance(2_000);
    expect(lost.now).toBe("SESSION_MOVED");
    expect(a.taken).toEqual(["no answer"]);
  });

  it("SES-7 that waits when its node stops is SESSION_MOVED", async () => {
    const { a, b, environment, settle } = cluster();
    a.receive = () => new Promise(() => {});
    const asked = outcome(b.forwarder.forward(a.hold().token, said("waits")));
    await settle();
    b.forwarder.close();
    await settle();
    expect([asked.now, environment.timerCount]).toEqual(["SESSION_MOVED", 0]);
  });

  it("SES-6 is not forwarded with a token that is none", async () => {
    const { a, b, broker } = cluster();
    a.hold();
    const told = broker.countOf("broadcast");
    const forged = new SessionTokens({ node: "node-a", environment: new ManualEnvironment() }).issue({ session, ordinal: 1 });
    await expect(b.forwarder.forward(forged, said("let me in"))).rejects.toMatchObject({ code: "SESSION_MOVED" });
    expect(broker.countOf("broadcast")).toBe(told);
  });

  it("SES-6 is good until it is too old by the clock of its node, whatever time it is at the node that it comes to", async () => {
    const { a, b, environment, settle } = cluster();
    const { token } = a.hold();
    const use = async (): Promise<string[]> => {
      const both = [a, b].map(({ forwarder }) => outcome(forwarder.forward(token, said("hello"))));
      await settle();
      return both.map(({ now }) => now);
    };
    environment.jumpWall(2 * BOUNDS.sessionTokenMs);
    expect(await use()).toEqual(["taken", "taken"]);
    environment.jumpWall(-4 * BOUNDS.sessionTokenMs);
    await environment.advance(BOUNDS.sessionTokenMs);
    expect(await use()).toEqual(["taken", "taken"]);
    await environment.advance(1);
    expect(await use()).toEqual(["SESSION_MOVED", "SESSION_MOVED"]);
    const refused: string[] = [];
    b.forwarder.poll(token, { after: 0, waitMs: 0 }, { answer: () => {}, refuse: ({ code }) => void refused.push(code) });
    await settle();
    expect(refused).toEqual(["SESSION_MOVED"]);
  });

  it("SES-6 is good at its node alone where there are no keys, of which the node warns once, as soon as there are others", async () => {
    const { a, b } = cluster("none");
    b.bus.isAlone = true;
    const { token } = b.hold();
    expect(b.warnings).toEqual([]);
    b.bus.isAlone = false;
    b.hold(2);
    b.hold(3);
    expect(b.warnings).toEqual(["session tokens are good at this node alone: give all nodes the same sessionKeys"]);
    await expect(b.forwarder.forward(token, said("at its node"))).resolves.toBeUndefined();
    await expect(a.forwarder.forward(token, said("at another"))).rejects.toMatchObject({ code: "SESSION_MOVED" });
    const shared = cluster().a;
    shared.hold();
    expect(shared.warnings).toEqual([]);
  });

  it("SES-8 waits for an answer up to forwardsMax times, and does not wait beyond", async () => {
    const { a, b, c, settle } = cluster();
    const { token } = a.hold();
    const takes: (() => void)[] = [];
    a.receive = () => new Promise((resolve) => void takes.push(resolve));
    const four = Array.from({ length: BOUNDS.forwardsMax }, (_, index) => outcome(b.forwarder.forward(token, said(`${index}`))));
    const fifth = outcome(b.forwarder.forward(token, said("too many")));
    expect(b.forwarder.waitingCount).toBe(4);
    await settle();
    expect([fifth.now, b.forwarder.waitingCount]).toEqual(["UNAVAILABLE", 4]);
    // The node that takes them bounds them too, whoever they come from.
    const another = outcome(c.forwarder.forward(token, said("from another")));
    await settle();
    expect([another.now, a.taken.length]).toEqual(["UNAVAILABLE", 4]);
    for (const take of takes) take();
    await settle();
    expect(four.map(({ now }) => now)).toEqual(Array(4).fill("taken"));
    a.receive = () => {};
    const next = outcome(c.forwarder.forward(token, said("there is room")));
    await settle();
    expect(next.now).toBe("taken");
  });

  it("SES-8 is MESSAGE_TOO_LARGE over messageBytesMax, at the node that is given it and at the one that takes it", async () => {
    const { a, b, say, broker } = cluster();
    const { token } = a.hold();
    const told = broker.countOf("broadcast");
    // Two bytes a character.
    await expect(b.forwarder.forward(token, said("é".repeat(501)))).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
    expect(broker.countOf("broadcast")).toBe(told);
    const heard: string[] = [];
    await broker.listen("node:node-c", (message) => void heard.push(message));
    await say({ kind: "session:forward", number: 1, session, ordinal: 1, request: { uplink: said("x".repeat(1_001)) } });
    expect(heard.join()).toContain("MESSAGE_TOO_LARGE");
    expect(a.taken).toEqual([]);
  });

  it.each([
    ["no number", { number: undefined }],
    ["a number below one", { number: -1 }],
    ["no session", { session: "" }],
    ["no request", { request: undefined }],
    ["two requests in one", { request: { uplink: { number: 1, text: "x" }, poll: { after: 1, waitMs: 0 } } }],
    ["a message that is no text", { request: { uplink: { number: 1, text: ["x"] } } }],
    ["a poll that waits for ever", { request: { poll: { after: 1, waitMs: "Infinity" } } }],
    ["an ordinal that is text", { ordinal: "1" }],
  ])("SES-8 is dropped where another node says it with %s", async (_, strange) => {
    const { a, say } = cluster();
    a.hold();
    await say({ kind: "session:forward", number: 1, session, ordinal: 1, request: { uplink: said("x") }, ...strange });
    expect([a.taken, a.polls, a.warnings]).toEqual([[], [], ["what came from another node cannot be read"]]);
  });

  it("SES-8 is not settled by an answer of a node that was not asked, nor by one that nobody waits for", async () => {
    const { a, b, say, settle } = cluster();
    b.receive = () => new Promise(() => {});
    const asked = outcome(a.forwarder.forward(b.hold().token, said("who answers?")));
    await settle();
    await say({ kind: "session:forwarded", number: 1 }, "node-c");
    await say({ kind: "session:forwarded", number: 99 }, "node-b");
    expect(asked.now).toBe("waiting");
    await say({ kind: "session:forwarded", number: 1 }, "node-b");
    expect(asked.now).toBe("taken");
  });
});

/** What a poll brought: its body, the code of a refusal, or `waiting`. */
function polling(node: HoldingNode, token: string, poll: Poll): { now: string } {
  const known = { now: "waiting" };
  node.forwarder.poll(token, poll, { answer: (body) => (known.now = body), refuse: ({ code }) => (known.now = code) });
  return known;
}

describe("a poll with a session token", () => {
  const poll: Poll = { after: 3, waitMs: 10_000 };

  it("LNK-9: reaches the connection from any node, and is answered as that answers", async () => {
    const { a, b, c, settle } = cluster();
    const { token } = a.hold();
    const all = [a, b, c].map((node) => polling(node, token, poll));
    await settle();
    expect(a.polls.map((each) => each.poll)).toEqual([poll, poll, poll]);
    a.polls[0]!.answer.answer("at home");
    a.polls[1]!.answer.answer('{"messages":["from afar"]}');
    a.polls[2]!.answer.refuse(new TuttiError("SESSION_REPLACED"));
    await settle();
    expect(all.map(({ now }) => now)).toEqual(["at home", '{"messages":["from afar"]}', "SESSION_REPLACED"]);
  });

  it("LNK-9: is SESSION_MOVED where the connection is not there, and its node not known to live", async () => {
    const { a, b, living, settle } = cluster();
    const { token, end } = a.hold();
    end();
    const gone = polling(b, token, poll);
    await settle();
    expect(gone.now).toBe("SESSION_MOVED");
    expect(() => polling(a, token, poll)).toThrow(expect.objectContaining({ code: "SESSION_MOVED" }));
    living.delete("node-a");
    expect(() => polling(b, token, poll)).toThrow(expect.objectContaining({ code: "SESSION_MOVED" }));
  });

  it("LNK-9: is SESSION_MOVED after forwardTimeoutMs more than it waits, and at once when its node is taken for dead", async () => {
    const { a, b, environment } = cluster();
    const { token } = a.hold();
    const late = polling(b, token, poll);
    await environment.advance(11_999);
    expect(late.now).toBe("waiting");
    await environment.advance(1);
    expect([late.now, b.forwarder.waitingCount, environment.timerCount]).toEqual(["SESSION_MOVED", 0, 0]);
    a.polls[0]!.answer.answer("too late");
    const [bereft, another] = [polling(b, token, poll), polling(b, token, poll)];
    b.bury("node-c");
    expect(bereft.now).toBe("waiting");
    b.bury("node-a");
    expect([bereft.now, another.now, environment.timerCount]).toEqual(["SESSION_MOVED", "SESSION_MOVED", 0]);
  });

  it("LNK-9: waits with pollsForwardedMax others, and takes no place of what goes up", async () => {
    const { a, b, c, settle } = cluster();
    const { token } = a.hold();
    const two = [polling(b, token, poll), polling(b, token, poll)];
    expect(() => polling(b, token, poll)).toThrow(expect.objectContaining({ code: "UNAVAILABLE" }));
    await settle();
    // The node that holds it bounds them too, whoever they come from.
    const another = polling(c, token, poll);
    await settle();
    expect([another.now, a.polls.length]).toEqual(["UNAVAILABLE", 2]);
    const uplink = outcome(b.forwarder.forward(token, said("goes up")));
    await settle();
    expect(uplink.now).toBe("taken");
    for (const { answer } of a.polls) answer.answer("{}");
    await settle();
    expect(two.map(({ now }) => now)).toEqual(["{}", "{}"]);
    const next = polling(c, token, poll);
    await settle();
    expect([next.now, a.polls.length]).toEqual(["waiting", 3]);
  });
});
