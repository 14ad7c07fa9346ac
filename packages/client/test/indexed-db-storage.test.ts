// oxlint-disable-next-line no-unassigned-import -- it gives the platform an IndexedDB
import "fake-indexeddb/auto";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { indexedDbStorage, type HeldSession, type IndexedDbStorageOptions, type StorageChange, type StoredPublish, type TabMemory } from "../src/index.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { FakeLocks } from "./support/fake-locks.js";
import { Stage } from "./support/stage.js";

let databases = 0;
let ids = 0;
let name = "";
let locks = new FakeLocks();

beforeEach(() => {
  name = `test-${databases++}`;
  locks = new FakeLocks();
});

const makeTab = (words = ""): TabMemory => {
  let kept = words;
  return { recall: () => kept, remember: (_key, value) => void (kept = value), held: new Set() };
};

/** A tab of the browser, with a clock of its own; `id`s differ by tab. */
function openTab(tab = makeTab(), options: IndexedDbStorageOptions = {}) {
  const environment = new FakeEnvironment();
  environment.id = () => `id-${ids++}`;
  const storage = indexedDbStorage({ name, environment, locks: locks as unknown as NonNullable<IndexedDbStorageOptions["locks"]>, tab, ...options });
  return { storage, environment, tab };
}

const identity = (secret: string) => ({ secret, publicId: undefined, user: undefined });
const begin = (secret: string): StorageChange => ({ kind: "begin", identity: identity(secret) });
const publish = (channel: string, n: number, about: Partial<StoredPublish> = {}): StoredPublish => ({ channel, n, type: "x", payload: { n }, timestamp: n, attempted: false, ...about });
const put = (...about: Parameters<typeof publish>): StorageChange => ({ kind: "put", publish: publish(...about) });
const state = (channel: string, seq: number, value: unknown = seq): StorageChange => ({ kind: "state", channel, state: { position: { epoch: "e", seq }, version: 1, state: value } });
const secretOf = ({ stored }: HeldSession): string | undefined => stored?.identity.secret;

/** Lets what is under way in the database come to its end, as far as the test can see. */
const until = (check: () => boolean): Promise<void> => vi.waitFor(() => expect(check()).toBe(true), { timeout: 5_000, interval: 1 });

describe("sessions in IndexedDB", () => {
  it("QUE-2 what is kept after somebody cleared the site's data under the page is found again", async () => {
    const one = openTab();
    const held = await one.storage.hold();
    await held.write([begin("s"), put("a:1", 1)]);
    await new Promise((resolve, reject) => Object.assign(indexedDB.deleteDatabase(name), { onsuccess: resolve, onerror: reject }));
    await held.write([put("a:1", 2)]);
    await held.release();
    expect((await openTab(one.tab).storage.hold()).stored).toMatchObject({ identity: identity("s"), publishes: [{ n: 2 }] });
  });

  it("QUE-2 keeps publishes in the order of their n, with binary payloads, and counts of what is settled", async () => {
    const one = openTab();
    const held = await one.storage.hold();
    expect(held.stored).toBeUndefined();
    const binary = publish("a:1", 10, { payload: new Uint8Array([1, 2]) });
    await held.write([begin("s"), put("a:1", 2), put("a:1", 9), put("b:1", 1), { kind: "put", publish: binary }, put("a:1", 1)]);
    await held.write([put("a:1", 2, { attempted: true }), { kind: "settle", channel: "a:1", n: 9 }, { kind: "settle", channel: "a:1", n: 70 }]);
    await held.release();
    expect((await openTab(one.tab).storage.hold()).stored).toEqual({
      identity: identity("s"),
      counts: new Map([
        ["a:1", 10],
        ["b:1", 1],
      ]),
      publishes: [publish("a:1", 1), publish("a:1", 2, { attempted: true }), binary, publish("b:1", 1)],
      states: new Map(),
    });
  });

  it("QUE-4 begin forgets all of this session but the counts, and nothing of another, and another name forgets nothing", async () => {
    const [one, two] = [openTab(), openTab()];
    const [held, other] = [await one.storage.hold(), await two.storage.hold()];
    await held.write([begin("s"), put("a:1", 1), state("a:1", 1)]);
    await other.write([begin("t"), put("a:1", 5)]);
    await held.release();
    const again = await one.storage.hold();
    const named = { ...identity("s"), publicId: "p", user: "u" };
    await again.write([{ kind: "identity", identity: named }]);
    await again.release();
    const third = await one.storage.hold();
    expect(third.stored).toMatchObject({ identity: named, publishes: [{ n: 1 }], states: new Map([["a:1", { state: 1 }]]) });
    await third.write([state("a:1", 2), put("b:1", 7), begin("u"), put("a:1", 3)]);
    await third.release();
    expect((await one.storage.hold()).stored).toEqual({ identity: identity("u"), counts: new Map([["a:1", 3], ["b:1", 7]]), publishes: [publish("a:1", 3)], states: new Map() });
    await other.release();
    expect((await two.storage.hold()).stored?.publishes).toEqual([publish("a:1", 5)]);
  });

  it("QUE-1 changes of one call are kept together or not at all, and the next call goes on", async () => {
    const one = openTab();
    const held = await one.storage.hold();
    await held.write([begin("s")]);
    await expect(held.write([put("a:1", 1), put("a:1", 2, { payload: () => {} })])).rejects.toThrow(DOMException);
    await held.write([put("a:1", 3)]);
    await held.release();
    expect((await one.storage.hold()).stored).toMatchObject({ publishes: [{ n: 3 }], counts: new Map([["a:1", 3]]) });
  });

  it("QUE-1 what a turn writes shares a transaction, and what is sent is flushed to the disk", async () => {
    const transactions = vi.spyOn(IDBDatabase.prototype, "transaction");
    const held = await openTab().storage.hold();
    const durabilities = () => transactions.mock.calls.filter(([, mode]) => mode === "readwrite").map(([, , options]) => options?.durability);
    await Promise.all([held.write([begin("s")]), held.write([put("a:1", 1)]), held.write([put("a:1", 2, { attempted: true })])]);
    await held.write([{ kind: "settle", channel: "a:1", n: 1 }]);
    await held.write([put("a:1", 3)]);
    expect(durabilities()).toEqual(["strict", "relaxed", "relaxed"]);
    transactions.mockRestore();
  });

  it("QUE-2 what a page writes is committed in that turn, since one that goes away hears no answer", async () => {
    const held = await openTab().storage.hold();
    await held.write([begin("s"), put("a:1", 1)]);
    const commits = vi.spyOn(IDBTransaction.prototype, "commit");
    void held.write([put("a:1", 2)]);
    // Microtasks alone: no answer of the database can be among them.
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    expect(commits).toHaveBeenCalledTimes(1);
    void held.write([put("a:1", 3), state("a:1", 1)]);
    const released = held.release();
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    expect(commits, "nor waits for what is under way").toHaveBeenCalledTimes(3);
    commits.mockRestore();
    await released;
  });

  it("STA-13 keeps the newest state of the latest channels from time to time, and at the end", async () => {
    const { storage, environment, tab } = openTab(makeTab(), { statesMax: 2 });
    const held = await storage.hold();
    await held.write([begin("s")]);
    const transactions = vi.spyOn(IDBDatabase.prototype, "transaction");
    const writes = () => transactions.mock.calls.filter(([, mode]) => mode === "readwrite").length;
    for (let seq = 1; seq <= 50; seq++) await held.write([state("a:1", seq), state("b:1", seq)]);
    expect(writes()).toBe(0);
    environment.pass(1_000);
    await held.write([put("a:1", 1)]);
    await until(() => writes() === 2);
    transactions.mockRestore();
    environment.pass(5_000);
    await held.write([state("a:1", 51)]);
    environment.pass(5_000);
    await held.write([state("c:1", 1)]);
    await held.release();
    const { stored } = await openTab(tab).storage.hold();
    expect([...(stored?.states ?? [])].map(([channel, kept]) => [channel, kept.position.seq, kept.state])).toEqual([
      ["a:1", 51, 51],
      ["c:1", 1, 1],
    ]);
  });

  it("STA-13 a state that cannot be kept takes nothing with it", async () => {
    const one = openTab();
    const held = await one.storage.hold();
    await held.write([begin("s"), state("a:1", 1, () => {})]);
    await held.write([put("a:1", 1)]);
    await held.release();
    expect((await one.storage.hold()).stored).toMatchObject({ publishes: [{ n: 1 }], states: new Map() });
  });

  it("QUE-3 each tab has a session of its own; a reload gets its own back, a new tab what waits longest, else an idle one", async () => {
    const tabs = [openTab(), openTab(), openTab()];
    const held = await Promise.all(tabs.map(({ storage }) => storage.hold()));
    await held[0]?.write([begin("idle")]);
    await held[1]?.write([begin("young"), put("a:1", 9)]);
    await held[2]?.write([begin("old"), put("a:1", 5)]);
    await Promise.all(held.map((each) => each.release()));
    expect(secretOf(await openTab(tabs[1]?.tab).storage.hold())).toBe("young");
    expect(secretOf(await openTab().storage.hold())).toBe("old");
    expect(secretOf(await openTab().storage.hold())).toBe("idle");
    expect(secretOf(await openTab().storage.hold())).toBeUndefined();
  });

  it("QUE-3 a reloaded page waits for the page before it, whose last words are kept", async () => {
    const { storage, tab } = openTab();
    const held = await storage.hold();
    await held.write([begin("s")]);
    const reloaded = openTab(makeTab(tab.recall("")));
    const next = reloaded.storage.hold();
    await until(() => reloaded.environment.timerCount === 2);
    void held.write([put("a:1", 1)]);
    void held.release();
    expect((await next).stored).toMatchObject({ identity: identity("s"), publishes: [{ n: 1 }] });
    await until(() => reloaded.environment.timerCount === 0);
  });

  it("QUE-3 a copy of a tab waits in vain for the session of the first, and takes another one", async () => {
    const { storage, tab } = openTab();
    await (await storage.hold()).write([begin("s")]);
    const copy = openTab(makeTab(tab.recall("")));
    const next = copy.storage.hold();
    await until(() => copy.environment.timerCount === 2);
    copy.environment.pass(1_000);
    expect(secretOf(await next)).toBeUndefined();
    await until(() => copy.environment.timerCount === 0);
  });

  it("QUE-3 several clients of a page have their own sessions, also after a reload", async () => {
    const { storage, tab } = openTab();
    const [one, two] = [await storage.hold(), await storage.hold()];
    await one.write([begin("one"), put("a:1", 1)]);
    await two.write([begin("two"), put("a:1", 2)]);
    await Promise.all([one.release(), two.release()]);
    const reloaded = openTab(tab).storage;
    expect([secretOf(await reloaded.hold()), secretOf(await reloaded.hold())]).toEqual(expect.arrayContaining(["one", "two"]));
  });

  it("QUE-3 of the sessions where nothing waits one is kept for the next tab", async () => {
    const tabs = [openTab(), openTab(), openTab(), openTab()];
    const held = await Promise.all(tabs.map(({ storage }) => storage.hold()));
    await Promise.all(held.map((each, index) => each.write([begin(`s${index}`), ...(index === 3 ? [put("a:1", 1)] : [])])));
    await Promise.all(held.map((each) => each.release()));
    const { storage } = openTab();
    expect(secretOf(await storage.hold())).toBe("s3");
    await until(() => locks.names.length === 1);
    const rest = [await openTab().storage.hold(), await openTab().storage.hold()];
    expect(rest.filter(({ stored }) => stored !== undefined)).toHaveLength(1);
  });

  it("QUE-3 tells of what a dead tab left, when it was free for a while; what is forgotten is gone", async () => {
    const running = openTab();
    await (await running.storage.hold()).write([begin("running")]);
    const dead = openTab();
    const left = await dead.storage.hold();
    await left.write([begin("dead"), put("a:1", 1)]);
    const adopted: HeldSession[] = [];
    const cancel = running.storage.orphans?.((held) => adopted.push(held));
    const look = async (): Promise<void> => {
      await until(() => running.environment.timerCount === 1);
      running.environment.pass(3_000);
      await until(() => running.environment.timerCount === 1);
    };
    await look();
    await left.release();
    await look();
    expect(adopted).toEqual([]);
    await look();
    expect(adopted.map(secretOf)).toEqual(["dead"]);
    await adopted[0]?.release({ forget: true });
    await look();
    await look();
    expect(adopted).toHaveLength(1);
    cancel?.();
    expect(running.environment.timerCount).toBe(0);
    expect((await openTab(dead.tab).storage.hold()).stored).toBeUndefined();
  });

  it("QUE-7 without Web Locks or IndexedDB hold rejects, and the client goes on in memory", async () => {
    const stage = new Stage({ storage: indexedDbStorage({ name }) });
    await until(() => stage.errors.length > 0);
    expect(stage.errors).toEqual(["STORAGE_FAILED"]);
    expect(stage.live().status).toBe("connected");

    const open = vi.spyOn(IDBFactory.prototype, "open").mockImplementation(() => {
      throw new DOMException("not here", "SecurityError");
    });
    const { storage } = openTab();
    await expect(storage.hold()).rejects.toThrow("not here");
    open.mockRestore();
    expect((await storage.hold()).stored).toBeUndefined();
  });

  it("QUE-7 a session that could not be read is let go", async () => {
    const { storage } = openTab();
    const first = await storage.hold();
    await first.write([begin("s"), put("a:1", 1)]);
    await first.release();
    const read = vi.spyOn(IDBObjectStore.prototype, "getAll").mockImplementationOnce(() => {
      throw new DOMException("gone", "InvalidStateError");
    });
    await expect(openTab().storage.hold()).rejects.toThrow("gone");
    read.mockRestore();
    expect(locks.names).toEqual([]);
    expect(secretOf(await openTab().storage.hold())).toBe("s");
  });

  it("QUE-7 a database that does not answer is given up, and what it brings too late is let go", async () => {
    const { storage, environment } = openTab();
    const first = await storage.hold();
    await first.write([begin("s")]);
    await first.release();
    const request = vi.spyOn(locks, "request");
    let answer = (): void => {};
    let wasHeld = 0;
    request.mockImplementationOnce(async (...args) => {
      await new Promise<void>((resolve) => (answer = resolve));
      const asked = locks.request(...args);
      wasHeld = locks.names.length;
      return asked;
    });
    const late = openTab();
    const held = late.storage.hold();
    await until(() => request.mock.calls.length === 1);
    late.environment.pass(5_000);
    await expect(held).rejects.toMatchObject({ code: "TIMEOUT" });
    answer();
    await until(() => wasHeld === 1 && locks.names.length === 0);
    await until(() => environment.timerCount + late.environment.timerCount === 0);
  });

  it("QUE-2 a database that another page deletes is not held up by this one", async () => {
    const { storage } = openTab();
    const held = await storage.hold();
    await held.write([begin("s")]);
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.addEventListener("success", resolve);
      request.addEventListener("error", reject);
    });
    await held.write([begin("t")]);
    await held.release();
    expect(secretOf(await storage.hold())).toBe("t");
  });

  it("QUE-2 a client that is loaded anew sends what the one before had stored", async () => {
    const tab = makeTab();
    const before = new Stage({ storage: openTab(tab).storage });
    void before.board.publish("note:add", { text: "a" });
    before.client.connect();
    await until(() => before.transport.links.length > 0);
    before.welcome();
    await until(() => before.link.of("publish").length === 1);
    before.page?.pageHide();
    const after = new Stage({ storage: openTab(tab).storage });
    after.client.connect();
    await until(() => after.transport.links.length > 0);
    after.welcome();
    await until(() => after.link.of("publish").length === 1);
    expect(after.link.last("publish")).toMatchObject({ n: 1, retry: true, payload: { text: "a" } });
    expect(after.link.last("hello").session).toBe(before.link.last("hello").session);
  });
});
