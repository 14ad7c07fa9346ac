import type { SubscriptionStart } from "@tutti/protocol";
import { describe, expect, it, onTestFinished } from "vitest";
import { createClient, undoHistory, type UndoOptions } from "../src/index.js";
import { turns, FakeEnvironment } from "./support/fake-environment.js";
import { at, event, FakeTransport, PUBLIC_ID } from "./support/fake-server.js";
import { checkLent, shelfContract } from "./support/shelf.js";
import { outcome } from "./support/stage.js";

const NAME = "shelf:1";

/** A client with a history of a shelf that the test's server feeds. */
class Shelf {
  readonly transport = new FakeTransport();
  readonly client = createClient({ url: "ws://server", contract: shelfContract, environment: new FakeEnvironment(), transport: this.transport });
  readonly shelf = this.client.channel("shelf:{id}", { id: "1" });
  readonly history;
  readonly errors: string[] = [];
  /** What `canUndo` and `canRedo` were, whenever they changed. */
  readonly told: string[] = [];
  #seq = 0;

  constructor(options: Partial<UndoOptions<typeof shelfContract>> = {}) {
    this.client.on("error", (error) => this.errors.push(error.code));
    this.history = undoHistory(this.shelf, { contract: shelfContract, ...options });
    this.history.subscribe(() => this.told.push(this.can));
  }

  get link() {
    return this.transport.link;
  }

  get can(): string {
    const { canUndo, canRedo } = this.history.getSnapshot();
    return [canUndo ? "undo" : "", canRedo ? "redo" : ""].join(" ").trim();
  }

  get books() {
    return this.shelf.state.getSnapshot();
  }

  /** Is live, with these books on it. */
  live(books: Record<string, string> = {}): this {
    void this.shelf.subscribe();
    return this.up({ position: at(0), snapshot: { version: 1, state: books } });
  }

  up(start: SubscriptionStart): this {
    this.link.open();
    this.link.welcome();
    this.link.answer(this.link.last("subscribe"), start);
    return this;
  }

  put(key: string, title: string): Promise<unknown> {
    return this.history.publish("book:put", { key, title });
  }

  /** What was published, oldest first. */
  get published(): readonly unknown[] {
    return this.link.of("publish").map(({ type, payload }) => [type, payload]);
  }

  /** Events in one message: those of this client's publishes, by number, and those of others. */
  arrive(...events: readonly (number | { readonly type: string; readonly payload: unknown })[]): void {
    const frames = this.link.of("publish");
    const wire = events.map((one, index) => {
      if (typeof one !== "number") return event(one.type, one.payload, `other:${this.#seq + index}`);
      const frame = frames.find(({ n }) => n === one);
      if (frame === undefined) throw new Error(`there is no publish ${one}`);
      return event(frame.type, frame.payload, `${PUBLIC_ID}:${one}`);
    });
    this.link.events(NAME, this.#seq + 1, ...wire);
    this.#seq += events.length;
  }

  ack(n: number): void {
    const frame = this.link.of("publish").find((other) => other.n === n);
    if (frame !== undefined) this.link.ack(frame, n);
  }
}

const theirs = (key: string, title: string) => ({ type: "book:put", payload: { key, title } });

describe("the history of a channel", () => {
  it("STA-12: undoes the last publish by what the contract names, and redoes it", async () => {
    const shelf = new Shelf().live({ a: "Emma" });
    void shelf.put("a", "Ulysses");
    expect([shelf.books, shelf.can]).toEqual([{ a: "Ulysses" }, "undo"]);
    const undone = shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma" }, "redo"]);
    const redone = shelf.history.redo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Ulysses" }, "undo"]);
    expect(shelf.published).toEqual(["Ulysses", "Emma", "Ulysses"].map((title) => ["book:put", { key: "a", title }]));
    expect([await outcome(undone), await outcome(redone)]).toEqual(["waits", "waits"]);
    for (const n of [1, 2, 3]) shelf.ack(n);
    expect([await outcome(undone), await outcome(redone)]).toEqual([undefined, undefined]);
  });

  it("STA-12: goes back step by step, and nowhere from the first", async () => {
    const shelf = new Shelf().live();
    for (const title of ["Emma", "Ulysses", "Walden"]) void shelf.put("a", title);
    const seen = [];
    for (let steps = 0; steps < 4; steps++) {
      void shelf.history.undo();
      seen.push(shelf.books);
    }
    expect(seen).toEqual([{ a: "Ulysses" }, { a: "Emma" }, {}, {}]);
    expect(shelf.can).toBe("redo");
    expect(await outcome(shelf.history.undo())).toBe(undefined);
    expect(shelf.published).toHaveLength(6);
  });

  it("STA-12: leaves alone what others did, and what was published beside it", () => {
    const shelf = new Shelf().live();
    void shelf.put("a", "Emma");
    void shelf.shelf.publish("book:put", { key: "b", title: "Ulysses" });
    shelf.arrive(1, theirs("c", "Walden"), 2);
    void shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{ b: "Ulysses", c: "Walden" }, "redo"]);
  });

  it("STA-12: a new publish takes the place of what was undone", () => {
    const shelf = new Shelf().live();
    void shelf.put("a", "Emma");
    void shelf.history.undo();
    void shelf.put("b", "Ulysses");
    void shelf.history.redo();
    expect([shelf.books, shelf.can]).toEqual([{ b: "Ulysses" }, "undo"]);
  });

  it("STA-12: what is published together is undone together, the last first", () => {
    const shelf = new Shelf().live({ a: "Emma" });
    const result = shelf.history.transact(() => {
      void shelf.put("a", "Ulysses");
      shelf.history.transact(() => void shelf.put("a", "Walden"));
      void shelf.put("b", "Persuasion");
      return "done";
    });
    void shelf.put("c", "Middlemarch");
    void shelf.history.undo();
    expect([result, shelf.books]).toEqual(["done", { a: "Walden", b: "Persuasion" }]);
    void shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma" }, "redo"]);
    expect(shelf.published.slice(-3)).toEqual([
      ["book:take", { key: "b" }],
      ["book:put", { key: "a", title: "Ulysses" }],
      ["book:put", { key: "a", title: "Emma" }],
    ]);
    void shelf.history.redo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Walden", b: "Persuasion" }, "undo redo"]);
  });

  it("STA-12: a group ends where its work throws, and what was published before is a step", () => {
    const shelf = new Shelf().live();
    const work = () =>
      shelf.history.transact(() => {
        void shelf.put("a", "Emma");
        throw new Error("work failed");
      });
    expect(work).toThrow("work failed");
    void shelf.put("b", "Ulysses");
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Emma" });
    void shelf.history.undo();
    expect(shelf.books).toEqual({});
  });

  it("STA-12: undoing within a group undoes what the group did so far", () => {
    const shelf = new Shelf().live();
    void shelf.put("a", "Emma");
    shelf.history.transact(() => {
      void shelf.put("b", "Ulysses");
      void shelf.history.undo();
      void shelf.put("c", "Walden");
    });
    void shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma" }, "undo redo"]);
    expect(shelf.published.slice(2)).toEqual([
      ["book:take", { key: "b" }],
      ["book:put", { key: "c", title: "Walden" }],
      ["book:take", { key: "c" }],
    ]);
  });

  it("STA-12: the oldest of too many steps is forgotten; a group is one", () => {
    const shelf = new Shelf({ stepsMax: 2 }).live();
    for (const key of ["a", "b"]) void shelf.put(key, "Emma");
    shelf.history.transact(() => ["c", "d", "e"].forEach((key) => void shelf.put(key, "Emma")));
    for (let steps = 0; steps < 3; steps++) void shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma" }, "redo"]);
  });

  it("STA-12: keeps 100 steps unless it is told otherwise", () => {
    const shelf = new Shelf().live();
    for (let step = 0; step < 101; step++) void shelf.put(`k${step}`, "Emma");
    for (let step = 0; step < 101; step++) void shelf.history.undo();
    expect(shelf.books).toEqual({ k0: "Emma" });
  });

  it("STA-12: forgets its steps when it is told to", () => {
    const shelf = new Shelf().live();
    void shelf.put("a", "Emma");
    void shelf.put("b", "Ulysses");
    void shelf.history.undo();
    shelf.history.clear();
    expect(shelf.can).toBe("");
    void shelf.history.undo();
    void shelf.history.redo();
    expect(shelf.books).toEqual({ a: "Emma" });
  });

  it("STA-12: tells when something can be undone or redone, and only then", () => {
    const shelf = new Shelf().live();
    const first = shelf.history.getSnapshot();
    void shelf.put("a", "Emma");
    void shelf.put("b", "Ulysses");
    shelf.arrive(1, theirs("c", "Walden"));
    void shelf.history.undo();
    void shelf.history.undo();
    void shelf.put("d", "Emma");
    expect(shelf.told).toEqual(["undo", "undo redo", "redo", "undo"]);
    expect([first, shelf.history.getSnapshot()]).toEqual([
      { canUndo: false, canRedo: false },
      { canUndo: true, canRedo: false },
    ]);
    expect(shelf.history.getSnapshot()).toBe(shelf.history.getSnapshot());
  });
});

describe("what undoes an event", () => {
  it("STA-12: is found from the state that is shown, while the event waits: offline too", () => {
    const shelf = new Shelf();
    void shelf.shelf.subscribe();
    void shelf.put("a", "Emma");
    void shelf.put("a", "Ulysses");
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Emma" });
    shelf.up({ position: at(0) });
    expect(shelf.published).toEqual(["Emma", "Ulysses", "Emma"].map((title) => ["book:put", { key: "a", title }]));
  });

  it("STA-12: is found anew from the canonical state that the event met, others' events included", async () => {
    const shelf = new Shelf().live({ a: "Emma" });
    void shelf.put("a", "Ulysses");
    shelf.arrive(theirs("a", "Walden"), 1, theirs("b", "Persuasion"));
    await turns();
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Walden", b: "Persuasion" });
  });

  it("STA-12: is found anew also where the ack came first", async () => {
    const shelf = new Shelf().live({ a: "Emma" });
    void shelf.put("a", "Ulysses");
    shelf.ack(1);
    await turns();
    shelf.arrive(theirs("a", "Walden"), 1);
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Walden" });
  });

  it("STA-12: is found anew for each event of a group, and for what was undone", async () => {
    const shelf = new Shelf().live({ a: "Emma" });
    shelf.history.transact(() => ["Ulysses", "Middlemarch"].forEach((title) => void shelf.put("a", title)));
    shelf.arrive(1, theirs("a", "Walden"), 2);
    await turns();
    void shelf.history.undo();
    expect(shelf.published.slice(2)).toEqual(["Walden", "Emma"].map((title) => ["book:put", { key: "a", title }]));
    shelf.arrive(theirs("a", "Persuasion"), 3, 4);
    await turns();
    void shelf.history.redo();
    expect(shelf.published.slice(4)).toEqual(["Walden", "Persuasion"].map((title) => ["book:put", { key: "a", title }]));
  });

  it("STA-12: may be nothing: such an event is passed over, and undone once there is something", async () => {
    const shelf = new Shelf().live();
    void shelf.history.publish("book:take", { key: "a" });
    void shelf.history.publish("book:burn", { key: "b" });
    expect(shelf.can).toBe("");
    shelf.arrive(theirs("a", "Walden"), 1, 2);
    await turns();
    expect([shelf.books, shelf.can]).toEqual([{}, "undo"]);
    void shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Walden" }, "redo"]);
  });

  it("STA-12: stays as it was found where a snapshot takes the place of the event", async () => {
    const shelf = new Shelf().live({ a: "Emma" });
    void shelf.put("a", "Ulysses");
    shelf.link.say({ op: "gap", channel: NAME, start: { position: at(5), snapshot: { version: 1, state: { a: "Ulysses", b: "Walden" } }, gap: { from: at(0), to: at(5) } } });
    shelf.ack(1);
    await turns();
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Emma", b: "Walden" });
  });

  it("STA-12: is what undoes what the server made of it, from the ack on", async () => {
    const shelf = new Shelf().live({ a: "Emma" });
    void shelf.put("b", "Ulysses");
    shelf.link.answer(shelf.link.last("publish"), { position: at(1), eventId: `${PUBLIC_ID}:1`, payload: { key: "a", title: "Ulysses" } });
    await turns();
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Emma" });
  });

  it("STA-12: is found from the snapshot that the event followed", async () => {
    const shelf = new Shelf().live({ a: "Emma" });
    void shelf.put("a", "Ulysses");
    shelf.link.say({ op: "gap", channel: NAME, start: { position: at(5), snapshot: { version: 1, state: { a: "Walden" } }, gap: { from: at(0), to: at(5) } } });
    shelf.link.events(NAME, 6, event("book:put", { key: "a", title: "Ulysses" }, `${PUBLIC_ID}:1`));
    await turns();
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Walden" });
  });

  it("STA-12: surfaces where the contract throws, and the event cannot be undone", () => {
    const shelf = new Shelf().live({ a: "cursed", b: "cursed" });
    void shelf.put("c", "Emma");
    void shelf.put("a", "Emma");
    expect(shelf.can).toBe("undo");
    shelf.arrive(theirs("b", "Walden"), 1);
    expect(shelf.errors).toEqual([]);
    shelf.arrive(2);
    expect(shelf.errors).toEqual(["INTERNAL"]);
    void shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma", b: "Walden" }, "redo"]);
  });

  it("STA-12: waits for a schema that takes its time", async () => {
    const shelf = new Shelf().live();
    void shelf.put("a", "Emma");
    void shelf.history.publish("book:lend", { key: "b", title: "Ulysses" });
    expect(shelf.can).toBe("");
    expect(await outcome(shelf.history.undo())).toBe(undefined);
    checkLent();
    await turns();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma", b: "Ulysses" }, "undo"]);
    void shelf.history.undo();
    expect(shelf.books).toEqual({ a: "Emma" });
  });
});

describe("a publish of the history that fails", () => {
  it("STA-12: takes no room that another step could have", async () => {
    const shelf = new Shelf({ stepsMax: 2 }).live();
    void shelf.put("a", "Emma");
    void shelf.put("b", "Emma");
    shelf.link.refuse(shelf.link.last("publish"), "FORBIDDEN");
    await turns();
    void shelf.put("c", "Emma");
    for (let steps = 0; steps < 2; steps++) void shelf.history.undo();
    expect(shelf.books).toEqual({});
  });

  it("STA-12: leaves its step, and what the other publishes of a group did stays", async () => {
    const shelf = new Shelf().live();
    shelf.history.transact(() => ["a", "b"].forEach((key) => void shelf.put(key, "Emma")));
    void shelf.put("c", "Emma");
    for (const n of [1, 2]) shelf.link.refuse(shelf.link.of("publish")[n] ?? shelf.link.last("publish"), "FORBIDDEN");
    await turns();
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma" }, "undo"]);
    void shelf.history.undo();
    expect([shelf.books, shelf.can]).toEqual([{}, "redo"]);
  });

  it("STA-12: is no step where it is refused before it is shown, and what was undone can be redone", async () => {
    const shelf = new Shelf().live();
    void shelf.put("a", "Emma");
    void shelf.history.undo();
    // @ts-expect-error a book has a title
    expect(await outcome(shelf.history.publish("book:put", { key: "a" }))).toBe("PAYLOAD_INVALID");
    // @ts-expect-error there is no such event
    expect(await outcome(shelf.history.publish("book:read", { key: "a" }))).toBe("TYPE_UNKNOWN");
    expect(shelf.can).toBe("redo");
  });

  it("STA-12: is told by the undo that made it, and cannot be redone", async () => {
    const shelf = new Shelf().live();
    void shelf.put("a", "Emma");
    const undone = shelf.history.undo();
    shelf.link.refuse(shelf.link.last("publish"), "FORBIDDEN");
    expect(await outcome(undone)).toBe("FORBIDDEN");
    expect([shelf.books, shelf.can]).toEqual([{ a: "Emma" }, ""]);
  });
});

describe("a history", () => {
  it("STA-12: can be turned back by who hears of a publish", () => {
    const shelf = new Shelf().live();
    let heard = 0;
    shelf.shelf.state.subscribe(() => {
      if (heard++ === 0) void shelf.history.undo();
    });
    void shelf.put("a", "Emma");
    expect([shelf.books, shelf.published.length]).toEqual([{}, 2]);
  });

  it("STA-12: tells its listeners where one of them throws, which reaches the host", async () => {
    const others = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    onTestFinished(() => others.forEach((other) => process.on("unhandledRejection", other)));
    const uncaught = new Promise((resolve) => process.once("unhandledRejection", resolve));
    const shelf = new Shelf().live();
    shelf.history.subscribe(() => {
      throw new Error("a listener failed");
    });
    shelf.history.subscribe(() => shelf.told.push("heard"));
    void shelf.put("a", "Emma");
    expect([shelf.books, shelf.told]).toEqual([{ a: "Emma" }, ["undo", "heard"]]);
    expect(await uncaught).toEqual(new Error("a listener failed"));
  });

  it("STA-12: is refused where the contract does not say what undoes an event", () => {
    const { client } = new Shelf();
    expect(() => undoHistory(client.channel("feed:{id}", { id: "1" }), { contract: shelfContract })).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
  });

  it("STA-12: lets go of its channel when it is closed", () => {
    const shelf = new Shelf();
    const kept = shelf.shelf;
    void shelf.put("a", "Emma");
    shelf.history.close();
    expect(shelf.can).toBe("");
    expect(shelf.client.channel("shelf:{id}", { id: "1" })).toBe(kept);
    shelf.live({ a: "cursed" });
    shelf.arrive(1);
    expect(shelf.errors).toEqual([]);
  });
});
