import { calmBroker } from "@tutti/testkit";
import { describe, expect, it } from "vitest";
import { World } from "./support/world.js";
import { leasedNodes, ready, room, textsOf, watched } from "./support/leased-nodes.js";
import { rooms } from "./support/rooms.js";

const codesOf = (left: readonly { readonly error: { readonly code: string } }[]): string[] => left.map(({ error }) => error.code);

describe("a node whose lease is over", () => {
  it("CMD-7 of which one stood still delivers nothing that came meanwhile before it has read what was commanded", async () => {
    const { broker, here, there, ada, bob, pass } = await ready();
    there.process.freeze(30_000);
    await pass(8_000);
    broker.faults = { ...calmBroker, deliveryLost: 1 };
    const revoked = watched(here.room.revoke({ user: "ada" }));
    await pass(1_000);
    broker.faults = calmBroker;
    await pass(6_000);
    expect(revoked.outcome).toBe("done");
    await Promise.all([here.room.publish("note:add", { text: "secret" }), pass(100)]);
    await pass(20_000);
    expect([textsOf(ada), codesOf(ada.of("left"))]).toEqual([[], ["SUBSCRIPTION_REVOKED"]]);
    expect(textsOf(bob)).toEqual(["secret"]);
  });

  it("CMD-7 delivers nothing that reaches it while the log of commands does not", async () => {
    const { here, there, ada, bob, pass } = await ready();
    there.isBlind = there.isMute = true;
    await pass(8_000);
    const revoked = watched(here.room.revoke({ user: "ada" }));
    await pass(7_000);
    expect(revoked.outcome).toBe("done");
    for (const text of ["one", "two"]) await Promise.all([here.room.publish("note:add", { text }), pass(500)]);
    expect([textsOf(ada), textsOf(bob)]).toEqual([[], []]);
    there.isBlind = there.isMute = false;
    await pass(3_000);
    expect([textsOf(ada), textsOf(bob)]).toEqual([[], ["one", "two"]]);
    await Promise.all([here.room.publish("note:add", { text: "three" }), pass(500)]);
    expect([textsOf(ada), textsOf(bob)]).toEqual([[], ["one", "two", "three"]]);
  });

  it("CMD-7 holds presence and signals, keeps connections, and answers what is asked", async () => {
    const { there, ada, bob, pass } = await ready();
    there.isBlind = true;
    await pass(6_000);
    ada.send({ op: "signal", channel: room, type: "cursor:move", payload: { x: 1 } });
    ada.request({ op: "presence", channel: room, member: { name: "ada" } });
    const late = await there.peer("cyd");
    late.send({ op: "ping" });
    expect((await late.ask({ op: "call", type: "room:list", payload: {}, timestamp: 0 })).data).toEqual([room]);
    await pass(500);
    expect([bob.signalsOf(room).length, bob.changesOf(room).length, late.of("pong").length]).toEqual([0, 0, 1]);
    there.isBlind = false;
    await pass(1_500);
    expect([bob.signalsOf(room).length, bob.changesOf(room).length]).toEqual([1, 1]);
    expect([ada, bob, late].map(({ closeCode }) => closeCode)).toEqual([undefined, undefined, undefined]);
  });

  it("CMD-7 starts no subscription, and none at all for whom a command ended meanwhile", async () => {
    const { here, there, pass } = await ready();
    const board = here.server.channel("board:{id}", { id: "1" });
    await Promise.all([board.publish("note:add", { text: "secret" }), pass(100)]);
    const [eve, fay] = [await there.peer("eve"), await there.peer("fay")];
    there.isBlind = true;
    await pass(6_000);
    const asked = [eve, fay].map((peer) => peer.request({ op: "subscribe", channel: "board:1" }));
    void board.revoke({ user: "eve" });
    await pass(2_000);
    expect([eve, fay].map((peer, at) => peer.replyTo(asked[at] ?? ""))).toEqual([undefined, undefined]);
    there.isBlind = false;
    await pass(1_500);
    expect(eve.replyTo(asked[0] ?? "")?.error?.code).toBe("SUBSCRIPTION_REVOKED");
    expect(fay.replyTo(asked[1] ?? "")?.data).toMatchObject({ snapshot: { state: ["secret"] } });
  });

  it("CMD-7 replays nothing, and goes on with that when the lease is good again", async () => {
    const { broker, here, there, bob, pass } = await ready();
    const { epoch } = (await broker.log.head(room)).position;
    for (const text of ["one", "two"]) await Promise.all([here.room.publish("note:add", { text }), pass(100)]);
    let goOn = (): void => {};
    there.pages = new Promise((resolve) => (goOn = resolve));
    const cyd = await there.peer("cyd");
    await cyd.subscribe(room, { since: { epoch, seq: 0 } });
    there.isBlind = true;
    await pass(6_000);
    const before = there.reads;
    goOn();
    await pass(1_000);
    expect([textsOf(cyd), there.reads - before]).toEqual([[], 0]);
    there.isBlind = false;
    await pass(1_500);
    expect([textsOf(cyd), textsOf(bob)]).toEqual([["one", "two"], ["one", "two"]]);
  });

  it("CMD-7 takes nothing from the log of a channel, and reads it when the lease is good again", async () => {
    const { here, there, bob, pass } = await ready();
    there.isBlind = true;
    await pass(6_000);
    const before = there.reads;
    const texts = Array.from({ length: 20 }, (_, at) => `${at}`);
    for (const text of texts) await Promise.all([here.room.publish("note:add", { text }), pass(20)]);
    expect(there.reads - before).toBe(0);
    there.isBlind = false;
    await pass(1_500);
    expect(textsOf(bob)).toEqual(texts);
    expect(there.reads - before).toBe(2);
  });

  it("CMD-7 owes who was slow the list of members until the lease is good again", async () => {
    const { here, there, ada, bob, pass } = await ready();
    bob.transport.stall();
    for (const text of ["x", "y", "z"]) await Promise.all([here.room.publish("note:add", { text: text.repeat(250_000) }), pass(100)]);
    ada.request({ op: "presence", channel: room, member: { name: "ada" } });
    await pass(100);
    there.isBlind = true;
    await pass(6_000);
    bob.transport.drain(bob.events);
    await pass(500);
    const lists = bob.listsOf(room).length;
    there.isBlind = false;
    await pass(1_500);
    expect([lists, bob.listsOf(room).length]).toEqual([1, 2]);
  });

  it("CMD-7 tells of a gap, that it read of before, when the lease is good again", async () => {
    const { broker, here, there, pass } = await ready();
    const board = here.server.channel("board:{id}", { id: "1" });
    const publish = (text: string) => Promise.all([board.publish("note:add", { text }), pass(100)]);
    await publish("old");
    const cyd = await there.guest("cyd", "board:1");
    let goOn = (): void => {};
    there.pages = new Promise((resolve) => (goOn = resolve));
    broker.faults = { ...calmBroker, deliveryLost: 1 };
    await publish("lost");
    broker.faults = calmBroker;
    await publish("hole");
    there.isBlind = true;
    await pass(6_000);
    broker.stop();
    await pass(100);
    await broker.start("lost");
    goOn();
    await pass(3_000);
    expect(cyd.of("gap").length).toBe(0);
    there.isBlind = false;
    await pass(5_000);
    expect(cyd.of("gap").length).toBe(1);
  });

  it("CMD-7 tells of a gap when the lease is good again", async () => {
    const { broker, here, there, pass } = await ready();
    const board = here.server.channel("board:{id}", { id: "1" });
    await Promise.all([board.publish("note:add", { text: "old" }), pass(100)]);
    const cyd = await there.guest("cyd", "board:1");
    there.isBlind = true;
    await pass(6_000);
    broker.stop();
    await pass(100);
    await broker.start("lost");
    await Promise.all([board.publish("note:add", { text: "new" }), pass(3_000)]);
    expect([cyd.of("gap").length, textsOf(cyd, "board:1")]).toEqual([0, []]);
    there.isBlind = false;
    await pass(5_000);
    expect(cyd.of("gap").map(({ start }) => start.snapshot?.state)).toEqual([["new"]]);
  });

  it("CMD-7 HLT-2 is not ready until it is good again", async () => {
    const { there, pass } = await ready();
    expect(there.server.readiness().status).toBe("ready");
    there.isBlind = true;
    await pass(5_100);
    expect(there.server.readiness()).toEqual({ status: "not-ready", reasons: [{ code: "commands-unread" }] });
    there.isBlind = false;
    await pass(1_100);
    expect(there.server.readiness().status).toBe("ready");
  });
});

describe("a lease", () => {
  it("CMD-7 outlasts a hiccup of two seconds", async () => {
    const { here, there, bob, pass } = await ready();
    there.isBlind = true;
    await pass(2_000);
    await Promise.all([here.room.publish("note:add", { text: "on time" }), pass(20)]);
    expect(textsOf(bob)).toEqual(["on time"]);
  });

  it("CMD-7 outlasts one look that is never answered", async () => {
    const { broker, here, bob, pass } = await ready();
    broker.faults = { ...calmBroker, hangs: 1, hangMs: 60_000 };
    await pass(1_000);
    broker.faults = calmBroker;
    await pass(9_000);
    await Promise.all([here.room.publish("note:add", { text: "on time" }), pass(20)]);
    expect(textsOf(bob)).toEqual(["on time"]);
  });

  it("CMD-7 is renewed while commands come all the time, faster than the log can be read", async () => {
    const { broker, here, there, pass } = await ready();
    broker.faults = { ...calmBroker, delayMs: [300, 300], deliveryLost: 0.3 };
    const codes = new Set<string>();
    for (let at = 0; at < 200; at++) {
      void here.room.add({ user: `user-${at}` });
      await pass(50);
      codes.add(there.server.readiness().status);
    }
    expect([...codes]).toEqual(["ready"]);
  });

  it("CMD-7 is renewed by what stands in the log, not by what the bus brings", async () => {
    const { broker, here, ada, pass } = await ready();
    broker.faults = { ...calmBroker, deliveryLost: 1, broadcastLost: 1 };
    void here.room.kick({ user: "ada" }, "off").catch(() => {});
    await pass(1_100);
    expect(codesOf(ada.of("left"))).toEqual(["KICKED"]);
  });

  it("CMD-7 costs a look a second, and nothing where nobody else can be at the log", async () => {
    const { there, pass } = await ready();
    const before = there.looks;
    await pass(60_000);
    const looks = there.looks - before;
    // Besides, there is the look every ten seconds that all channels get.
    expect([looks >= 60, looks <= 66]).toEqual([true, true]);
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.subscribe(room);
    world.environment.pass(3_600_000);
    await world.server.channel("room:{id}", { id: "1" }).publish("note:add", { text: "at once" });
    await world.settle();
    expect(textsOf(peer)).toEqual(["at once"]);
  });
});

describe("the promise of a command", () => {
  it("CMD-8 waits for who may deliver and is not known to live, until its lease is over", async () => {
    const { here, there, pass } = await ready();
    there.isBlind = there.isMute = true;
    await pass(8_000);
    expect(here.server.nodes().length).toBe(1);
    const done = watched(here.room.revoke({ user: "ada" }));
    await pass(4_900);
    expect(done.outcome).toBe("waits");
    await pass(800);
    expect(done.outcome).toBe("done");
  });

  it("CMD-8 waits no longer than until they answer", async () => {
    const { here, there, ada, pass } = await ready();
    here.isDeaf = true;
    await pass(8_000);
    expect(here.server.nodes().length).toBe(1);
    const done = watched(here.room.revoke({ user: "ada" }));
    await pass(100);
    expect([done.outcome, codesOf(ada.of("left"))]).toEqual(["done", ["SUBSCRIPTION_REVOKED"]]);
    expect(there.server.nodes().length).toBe(2);
  });

  it("CMD-8 waits at a node that has heard of nobody yet", async () => {
    const { there, pass, start } = await ready();
    there.isBlind = there.isMute = true;
    const late = start((node) => (node.isDeaf = true));
    await pass(50);
    expect(late.server.nodes().length).toBe(1);
    const done = watched(late.room.revoke({ user: "ada" }));
    await pass(4_900);
    expect(done.outcome).toBe("waits");
    await pass(800);
    expect(done.outcome).toBe("done");
  });

  it("CMD-8 is kept at once where nobody else has entered, and where the others have left", async () => {
    const { here, there, pass } = await ready();
    await Promise.all([there.server.close(), pass(1_000)]);
    here.isDeaf = true;
    const done = watched(here.room.revoke({ user: "ada" }));
    await pass(50);
    expect(done.outcome).toBe("done");
  });
});

describe("who may deliver", () => {
  it("CMD-8 is struck out when it was not heard for a minute; the promises wait for a lease once more, and then no longer", async () => {
    const { here, there, pass, logged } = await ready();
    there.process.stop();
    await pass(64_000);
    expect(await logged()).not.toContain("strike");
    await pass(6_000);
    expect((await logged()).filter((type) => type === "strike").length).toBe(1);
    const doubted = watched(here.room.revoke({ user: "ada" }));
    await pass(1_000);
    expect(doubted.outcome).toBe("waits");
    await pass(6_000);
    expect(doubted.outcome).toBe("done");
    const done = watched(here.room.revoke({ user: "ada" }));
    await pass(50);
    expect(done.outcome).toBe("done");
  });

  it("CMD-8 enters anew where it lives and was struck out, and delivers on", async () => {
    const { here, there, bob, pass, logged } = await ready();
    there.isMute = true;
    await pass(70_000);
    expect((await logged()).filter((type) => type === "enter").length).toBe(3);
    await Promise.all([here.room.publish("note:add", { text: "on" }), pass(500)]);
    expect(textsOf(bob)).toEqual(["on"]);
    expect(there.server.readiness().status).toBe("ready");
  });

  it("CMD-8 delivers nothing before it has entered", async () => {
    const { here, pass, start } = await ready();
    const late = start((node) => (node.cannotWrite = true));
    await pass(2_000);
    const cyd = await late.peer("cyd");
    const asked = cyd.request({ op: "subscribe", channel: room });
    await pass(5_000);
    expect([cyd.replyTo(asked), late.server.readiness()]).toEqual([undefined, { status: "not-ready", reasons: [{ code: "commands-unread" }] }]);
    late.cannotWrite = false;
    await pass(1_500);
    await Promise.all([here.room.publish("note:add", { text: "now" }), pass(500)]);
    expect(textsOf(cyd)).toEqual(["now"]);
  });

  it("CMD-8 is not known of a log that was lost: promises wait for a lease after it, and everybody enters anew", async () => {
    const { broker, here, there, pass, logged } = await ready();
    there.isBlind = there.isMute = true;
    await pass(8_000);
    broker.stop();
    await pass(100);
    await broker.start("lost");
    await pass(1_500);
    expect(await logged()).toEqual(["enter"]);
    const done = watched(here.room.revoke({ user: "ada" }));
    await pass(2_000);
    expect(done.outcome).toBe("waits");
    await pass(4_000);
    expect(done.outcome).toBe("done");
    there.isBlind = there.isMute = false;
    await pass(3_000);
    expect((await logged()).filter((type) => type === "enter").length).toBe(2);
  });

  it("CMD-8 is known at a node that starts from a snapshot", async () => {
    const nodes = leasedNodes();
    const [first, second] = [nodes.start(), nodes.start()];
    await nodes.pass(2_000);
    await Promise.all([first.server.close(), nodes.pass(1_000)]);
    const { position } = await nodes.broker.log.head("$commands");
    await nodes.broker.log.trim("$commands", position);
    second.isBlind = second.isMute = true;
    const late = nodes.start((node) => (node.isDeaf = true));
    await nodes.pass(100);
    const done = watched(late.room.revoke({ user: "ada" }));
    await nodes.pass(1_000);
    expect(done.outcome).toBe("waits");
  });
});
