import { describe, expect, it } from "vitest";
import { memoryStorage, storedSessions, type HeldSession, type StoredIdentity, type StoredSession } from "../src/index.js";
import { load, online } from "./support/browser.js";
import { slowSchema, isNote } from "./support/contract.js";
import { turns } from "./support/fake-environment.js";
import { event } from "./support/fake-server.js";
import { Stage } from "./support/stage.js";
import { channel, defineContract } from "@tutti/protocol";

const note = (text: string) => ({ text });
const identity: StoredIdentity = { secret: "s".padEnd(44, "x"), publicId: undefined, user: undefined };
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "landed", (error: { readonly code: string }) => error.code);

/** A storage for one owner at a time, which takes a while to be let go. */
function slowToRelease() {
  const inner = memoryStorage();
  const releases: (() => void)[] = [];
  let isHeld = false;
  const storage = storedSessions({
    async hold(): Promise<HeldSession> {
      if (isHeld) throw new Error("in use");
      isHeld = true;
      const held = await inner.hold();
      return {
        ...held,
        async release(options) {
          await new Promise<void>((resolve) => releases.push(resolve));
          await held.release(options);
          isHeld = false;
        },
      };
    },
  });
  return { storage, letGo: () => releases.splice(0).forEach((release) => release()) };
}

/** A session that was left, handed to whoever looks for orphans. */
function orphanage(left: HeldSession) {
  const own = memoryStorage();
  return storedSessions({
    hold: () => own.hold(),
    orphans(adopt: (held: HeldSession) => void) {
      adopt(left);
      return () => {};
    },
  });
}

describe("a session that is let go and held again", () => {
  it.each([
    ["a page that comes back", (stage: Stage) => [stage.page?.pageHide(), stage.page?.pageShow()]],
    ["a client that connects again", (stage: Stage) => [void stage.client.close(), stage.client.connect()]],
  ])("QUE-2 QUE-3 %s has the same one, however long the storage takes", async (_title, comeBack) => {
    const { storage, letGo } = slowToRelease();
    const stage = await online(storage);
    const { session } = stage.link.last("hello");
    comeBack(stage);
    await stage.stored();
    letGo();
    await stage.stored();
    stage.link.open();
    expect(stage.link.last("hello").session).toBe(session);
    expect(stage.errors).toEqual([]);
  });

  it("QUE-3 a client that is closed while it looks for its session has let it go when `close` resolves", async () => {
    const { storage, letGo } = slowToRelease();
    const first = new Stage({ storage });
    const closed = first.client.close();
    await first.stored();
    letGo();
    await closed;
    const second = await load(storage);
    expect([first.errors, second.errors]).toEqual([[], []]);
  });

  it("QUE-3 what another page attempted meanwhile counts as attempted", async () => {
    const storage = memoryStorage();
    const stage = new Stage({ storage, queueFull: "drop-oldest", queueCountMax: 1 });
    stage.client.connect();
    await stage.stored();
    stage.page?.offline();
    void stage.board.publish("note:add", note("a"));
    await stage.stored();
    stage.page?.pageHide();
    await stage.stored();
    const held = await memoryStorage({ beside: storage }).hold();
    const [publish] = held.stored?.publishes ?? [];
    await held.write([{ kind: "put", publish: { ...publish!, attempted: true } }]);
    await held.release();
    stage.page?.pageShow();
    stage.page?.offline();
    await stage.stored();
    expect(stage.board.pending.getSnapshot()).toMatchObject([{ n: 1, attempted: true }]);
    expect(await codeOf(stage.board.publish("note:add", note("b")))).toBe("QUEUE_FULL");
  });
});

describe("a storage that fails at its edges", () => {
  const stuck = () => new Promise<void>(() => {});
  const pass = async (stage: Stage) => {
    for (let count = 0; count < 5; count++) {
      stage.environment.pass(10_000);
      await turns(20);
    }
  };

  it("QUE-7 a publish that it does not answer for ends as unknown, and surfaces", async () => {
    const stage = await online(storedSessions({ hold: async () => ({ stored: undefined, write: stuck, release: async () => {} }) }));
    const code = codeOf(stage.board.publish("note:add", note("a")));
    await pass(stage);
    expect(await code).toBe("OUTCOME_UNKNOWN");
    expect(stage.errors).toContain("STORAGE_FAILED");
  });

  it("CON-8 `close` resolves, also where it is never let go", async () => {
    const stage = await online(storedSessions({ hold: async () => ({ stored: undefined, write: async () => {}, release: stuck }) }));
    const closed = stage.client.close().then(() => "closed");
    await pass(stage);
    expect(await closed).toBe("closed");
  });

  it("QUE-2 a publish that cannot be sent as it is stored is taken back, and keeps nothing from going on", async () => {
    const storage = memoryStorage();
    const held = await storage.hold();
    const publish = { channel: "board:1", n: 1, type: "note:add", timestamp: 1_700_000_000_000, attempted: false };
    await held.write([
      { kind: "begin", identity },
      { kind: "put", publish: { ...publish, payload: { bad: Number.NaN } } },
      { kind: "put", publish: { ...publish, n: 2, payload: note("good") } },
    ]);
    storage.abandon();
    const stage = new Stage({ storage });
    const rollbacks: string[] = [];
    stage.client.on("rollback", ({ error }) => rollbacks.push(error.code));
    stage.client.connect();
    await stage.stored();
    expect(stage.transport.links).toHaveLength(1);
    expect(rollbacks).toEqual(["STORAGE_FAILED"]);
    expect(stage.board.pending.getSnapshot()).toMatchObject([{ n: 2 }]);
  });

  it("QUE-3 what was taken up and cannot be kept under its name is forgotten, and not left to another", async () => {
    const forgotten: (boolean | undefined)[] = [];
    const publishes = [{ channel: "board:1", n: 1, type: "note:add", payload: note("a"), timestamp: 1_700_000_000_000, attempted: false }];
    const stored: StoredSession = { identity, counts: new Map([["board:1", 1]]), states: new Map(), publishes };
    const stage = await online(
      orphanage({
        stored,
        async write(changes) {
          if (changes.some((change) => "identity" in change)) throw new Error("quota");
        },
        release: async (options) => void forgotten.push(options?.forget),
      }),
    );
    stage.link.open();
    stage.link.welcome({ session: "mine" });
    await stage.stored();
    expect(forgotten).toEqual([true]);
  });
});

describe("what is shown", () => {
  it("QUE-4 a channel that was left shows nothing of the user before", async () => {
    const stage = await load(memoryStorage());
    stage.live();
    stage.link.events("board:1", 1, event("note:add", note("secret"), "other:1"));
    void stage.board.unsubscribe();
    await stage.stored();
    stage.link.cut();
    stage.environment.pass(5_000);
    stage.link.open();
    stage.link.welcome({ session: "another" });
    await stage.stored();
    expect(stage.board.state.getSnapshot()).toEqual([]);
  });

  it("QUE-8 a publish that a slow schema refuses is not counted for good", async () => {
    const slow = slowSchema(isNote);
    const quick = slowSchema(isNote);
    const contract = defineContract({ channels: { "x:{id}": channel({ events: { slow: slow.schema, quick: quick.schema } }) } });
    const stage = new Stage();
    const { createClient } = await import("../src/index.js");
    const client = createClient({ url: "ws://server.test/", contract, environment: stage.environment, transport: stage.transport });
    const counts: number[] = [];
    client.pending.subscribe(() => counts.push(client.pending.getSnapshot().count));
    // @ts-expect-error -- the contract forbids it, and a page without types does it
    const refused = codeOf(client.channel("x:{id}", { id: "1" }).publish("slow", { wrong: 1 }));
    // Another publish tells how many wait.
    void client.channel("x:{id}", { id: "2" }).publish("quick", note("a"));
    quick.release();
    await turns(30);
    slow.release();
    expect(await refused).toBe("PAYLOAD_INVALID");
    await turns(30);
    expect(client.pending.getSnapshot().count).toBe(1);
    expect(counts.at(-1)).toBe(1);
  });
});
