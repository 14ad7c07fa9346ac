import { TuttiError } from "@tutti/protocol";
import { memoryBroker, type ServerOptions } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { room, text } from "./support/following.js";
import { jumpingBroker } from "./support/jumping-broker.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const secret = "the-secret-of-a-session";

/** A room whose handler numbers what it handles, so that a second run would show; it waits, and refuses, as a test wants. */
async function numbering(options: Partial<ServerOptions<typeof rooms>> = {}) {
  let runs = 0;
  let gate: Promise<void> | undefined;
  let refusal: TuttiError | undefined;
  let isAllowed = true;
  const world = new World({
    contract: rooms,
    channels: {
      "room:{id}": {
        authorize: () => isAllowed,
        publish: {
          "note:add": async ({ payload }) => {
            const run = ++runs;
            await gate;
            if (refusal !== undefined) throw refusal;
            return text(`${payload.text} by run ${run}`);
          },
        },
      },
    },
    ...options,
  });
  const logged = async (): Promise<unknown[]> => {
    const { position } = await world.broker.inner.head(room);
    const page = await world.broker.inner.read(room, { epoch: position.epoch, seq: 0 }, { countMax: 1_000 });
    return page.outcome === "page" ? page.run.events.map(({ payload }) => Object(payload).text) : [];
  };
  const holdHandler = (): (() => void) => {
    let open = (): void => {};
    gate = new Promise((resolve) => (open = resolve));
    return () => {
      gate = undefined;
      open();
    };
  };
  const asked = (peer: Peer, n: number, retry = false): string => peer.request(peer.publishing(room, n, text(`note ${n}`), retry ? { retry } : {}));
  const ask = async (peer: Peer, n: number, retry = false) => {
    const id = asked(peer, n, retry);
    await world.settle();
    return peer.replyTo(id);
  };
  return {
    world,
    logged,
    holdHandler,
    asked,
    ask,
    runs: () => runs,
    refuse: (error: TuttiError | undefined) => (refusal = error),
    allow: (allowed: boolean) => (isAllowed = allowed),
    prepared: () => world.server.stats().prepared,
    peer: () => world.peer({ secret }),
  };
}

describe("the handler of a publish", () => {
  it("PUB-12 runs once where the append fails: the repeat is appended as it was made", async () => {
    const { world, peer, ask, logged, prepared, runs } = await numbering();
    const client = await peer();
    world.broker.failNext("append");
    expect((await ask(client, 1))?.error?.code).toBe("UNAVAILABLE");
    expect(prepared()).toBe(1);
    world.broker.failNext("append");
    expect((await ask(client, 1, true))?.error?.code).toBe("UNAVAILABLE");
    expect((await ask(client, 1, true))?.data).toMatchObject({ position: { seq: 1 }, payload: text("note 1 by run 1") });
    expect([await logged(), runs(), prepared()]).toEqual([["note 1 by run 1"], 1, 0]);
  });

  it("PUB-12 runs once where the repeat comes by another connection of the session", async () => {
    const { world, peer, ask, logged, prepared, runs } = await numbering();
    const before = await peer();
    world.broker.failNext("append");
    await ask(before, 1);
    before.drop();
    await world.advance(30_000);
    expect((await ask(await peer(), 1, true))?.success).toBe(true);
    expect([await logged(), runs(), prepared()]).toEqual([["note 1 by run 1"], 1, 0]);
  });

  it("PUB-12 is waited for by a repeat that comes while it is at work, and only who is still there is answered", async () => {
    const { world, peer, asked, logged, holdHandler, runs } = await numbering();
    const before = await peer();
    const open = holdHandler();
    asked(before, 1);
    await world.settle();
    const after = await peer();
    expect(before.errorCodes).toEqual(["SESSION_REPLACED"]);
    const ids = [asked(after, 1, true), asked(after, 1, true), asked(after, 2)];
    await world.settle();
    expect(ids.map((id) => after.replyTo(id))).toEqual([undefined, undefined, undefined]);
    open();
    await world.settle();
    expect(ids.map((id) => Object(after.replyTo(id)?.data).position?.seq)).toEqual([1, 1, 2]);
    expect(before.of("reply")).toEqual([]);
    expect([await logged(), runs()]).toEqual([["note 1 by run 1", "note 2 by run 2"], 2]);
  });

  it("PUB-12 does not run for what waited for its turn when its connection ended: that is sent again", async () => {
    const { world, peer, asked, ask, logged, holdHandler, runs } = await numbering();
    const before = await peer();
    const open = holdHandler();
    asked(before, 1);
    asked(before, 2);
    await world.settle();
    before.drop();
    open();
    await world.settle();
    expect(runs()).toBe(1);
    const after = await peer();
    expect((await ask(after, 1, true))?.data).toMatchObject({ repeat: true });
    expect((await ask(after, 2, true))?.success).toBe(true);
    expect(await logged()).toEqual(["note 1 by run 1", "note 2 by run 2"]);
  });

  it("PUB-12 answers all who asked, by both connections, where the append takes its time", async () => {
    const { world, peer, asked, runs } = await numbering();
    const before = await peer();
    const release = world.broker.holdNext("append");
    asked(before, 1);
    await world.settle();
    const after = await peer();
    const id = asked(after, 1, true);
    await world.settle();
    release();
    await world.settle();
    expect(after.replyTo(id)?.data).toMatchObject({ position: { seq: 1 }, payload: text("note 1 by run 1") });
    expect([runs(), before.of("reply")]).toEqual([1, []]);
  });

  it("PUB-12 runs once where it refused, and the refusal could not be noted", async () => {
    const { world, peer, ask, refuse, logged, prepared, runs } = await numbering();
    const client = await peer();
    refuse(new TuttiError("CANVAS_LOCKED"));
    world.broker.failNext("refuse");
    expect((await ask(client, 1))?.error?.code).toBe("UNAVAILABLE");
    refuse(undefined);
    expect((await ask(client, 1, true))?.error?.code).toBe("CANVAS_LOCKED");
    expect([await logged(), runs(), prepared()]).toEqual([[], 1, 0]);
  });

  it("PUB-12 runs again where it said that it may be tried again", async () => {
    const { peer, ask, refuse, runs, logged } = await numbering();
    const client = await peer();
    refuse(new TuttiError("RATE_LIMITED"));
    expect((await ask(client, 1))?.error?.code).toBe("RATE_LIMITED");
    refuse(undefined);
    expect((await ask(client, 1, true))?.success).toBe(true);
    expect([runs(), await logged()]).toEqual([2, ["note 1 by run 2"]]);
  });

  it("PUB-12 has made nothing that lands once the permission was withdrawn, also where it is given back", async () => {
    const { world, peer, ask, allow, logged, prepared, runs } = await numbering();
    const client = await peer();
    world.broker.failNext("append");
    await ask(client, 1);
    allow(false);
    expect((await ask(client, 1, true))?.error?.code).toBe("FORBIDDEN");
    allow(true);
    expect((await ask(client, 1, true))?.error?.code).toBe("FORBIDDEN");
    expect([await logged(), runs(), prepared()]).toEqual([[], 1, 0]);
    expect((await ask(client, 2))?.success).toBe(true);
  });

  it("PUB-12 PUB-2 has made what landed before the permission was withdrawn: that is no refusal", async () => {
    const { world, peer, ask, allow, prepared } = await numbering();
    const client = await peer();
    world.broker.loseAnswerOfNext("append");
    expect((await ask(client, 1))?.error?.code).toBe("UNAVAILABLE");
    allow(false);
    expect((await ask(client, 1))?.data).toMatchObject({ position: { seq: 1 }, repeat: true, payload: text("note 1 by run 1") });
    expect(prepared()).toBe(0);
  });

  it("PUB-12 is not asked where preparedMax publishes wait for the log already", async () => {
    const { world, peer, ask, asked, runs, logged } = await numbering({ preparedMax: 2 });
    const client = await peer();
    const release = [world.broker.holdNext("append"), world.broker.holdNext("append")];
    asked(client, 1);
    asked(client, 2);
    expect((await ask(client, 3))?.error?.code).toBe("RATE_LIMITED");
    expect(runs()).toBe(2);
    for (const open of release) open();
    await world.settle();
    expect((await ask(client, 3))?.success).toBe(true);
    expect(await logged()).toEqual(["note 1 by run 1", "note 2 by run 2", "note 3 by run 3"]);
  });

  it("PUB-12 INV-6 is not asked where what it left on the node takes preparedBytesMax", async () => {
    const { world, peer, ask, runs, prepared, logged } = await numbering({ preparedBytesMax: 20 });
    const client = await peer();
    world.broker.failNext("append");
    await ask(client, 1);
    expect([runs(), prepared()]).toEqual([1, 1]);
    const other = await world.peer();
    expect((await ask(other, 1))?.error?.code).toBe("RATE_LIMITED");
    expect(runs()).toBe(1);
    expect((await ask(client, 1, true))?.success).toBe(true);
    expect((await ask(other, 1))?.success).toBe(true);
    expect(await logged()).toEqual(["note 1 by run 1", "note 1 by run 2"]);
  });

  it("PUB-12 is forgotten with what its client says is settled", async () => {
    const { world, peer, ask, prepared } = await numbering();
    const client = await peer();
    world.broker.failNext("append");
    await ask(client, 1);
    expect(prepared()).toBe(1);
    expect((await ask(client, 2))?.success).toBe(true);
    expect(prepared()).toBe(0);
  });

  it("PUB-12 INV-6 is forgotten preparedMs after nobody asked again, and so is its session", async () => {
    const { world, peer, ask, prepared, runs, logged } = await numbering({ preparedMs: 5_000 });
    const client = await peer();
    world.broker.failNext("append");
    await ask(client, 1);
    client.drop();
    await world.advance(4_000);
    expect([prepared(), world.server.stats().publishers]).toEqual([1, 1]);
    await world.advance(3_000);
    expect([prepared(), world.server.stats().publishers]).toEqual([0, 0]);
    expect((await ask(await peer(), 1, true))?.success).toBe(true);
    expect([runs(), await logged()]).toEqual([2, ["note 1 by run 2"]]);
  });

  it("INV-6 leaves nothing behind when its connection ends", async () => {
    const { world, peer, ask, asked, holdHandler } = await numbering();
    const first = await peer();
    await ask(first, 1);
    first.drop();
    expect(world.server.stats().publishers).toBe(0);
    const second = await peer();
    const open = holdHandler();
    asked(second, 2);
    await world.settle();
    second.drop();
    expect(world.server.stats().publishers).toBe(1);
    open();
    await world.settle();
    await world.advance(1_000);
    expect(world.server.stats().publishers).toBe(0);
  });
});

describe("what the handler made of a payload", () => {
  it("PUB-13 is in the answer, and in the answer to a repeat, from whichever node", async () => {
    const { world, peer, ask } = await numbering();
    const client = await peer();
    expect((await ask(client, 1))?.data).toMatchObject({ payload: text("note 1 by run 1") });
    expect((await ask(client, 1, true))?.data).toMatchObject({ repeat: true, payload: text("note 1 by run 1") });
    const other = await numbering({ broker: world.broker.inner });
    expect((await other.ask(await other.peer(), 1, true))?.data).toMatchObject({ repeat: true, payload: text("note 1 by run 1") });
    expect(other.runs()).toBe(0);
  });

  it("PUB-13 is found where the broker counts in jumps", async () => {
    const { peer, ask } = await numbering({ broker: jumpingBroker(memoryBroker()) });
    const client = await peer();
    await ask(client, 1);
    await ask(client, 2);
    expect((await ask(client, 1, true))?.data).toMatchObject({ position: { seq: 7 }, payload: text("note 1 by run 1") });
    expect((await ask(client, 2, true))?.data).toMatchObject({ position: { seq: 14 }, payload: text("note 2 by run 2") });
  });

  it("PUB-13 is left out where the log has it no more", async () => {
    const { world, peer, ask } = await numbering();
    const client = await peer();
    await ask(client, 1);
    await world.broker.trim(room, (await world.broker.head(room)).position);
    const repeat = await ask(client, 1, true);
    expect(repeat?.data).toEqual({ position: { epoch: expect.any(String), seq: 1 }, eventId: `${world.sessionOf(client)}:1`, repeat: true });
  });

  it("PUB-13 is asked for again where the log cannot be read now", async () => {
    const { world, peer, ask } = await numbering();
    const client = await peer();
    await ask(client, 1);
    world.broker.failNext("read");
    expect((await ask(client, 1, true))?.error?.code).toBe("UNAVAILABLE");
    expect((await ask(client, 1, true))?.data).toMatchObject({ payload: text("note 1 by run 1") });
  });

  it.each([
    ["nothing where there is none", {}],
    ["nothing where it kept the payload", { channels: { "room:{id}": { publish: { "note:add": () => undefined } } } }],
  ])("PUB-13 is %s", async (_title, options) => {
    const { world, peer, ask } = await numbering({ channels: {}, ...options });
    const client = await peer();
    expect(Object.keys(Object((await ask(client, 1))?.data))).toEqual(["position", "eventId"]);
    expect(Object.keys(Object((await ask(client, 1, true))?.data))).toEqual(["position", "eventId", "repeat"]);
    expect(world.broker.countOf("read")).toBe("channels" in options ? 1 : 0);
  });
});
