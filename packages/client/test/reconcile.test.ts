import { channel, defineContract } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createClient, memoryStorage, type ClientStorage } from "../src/index.js";
import { left } from "./support/browser.js";
import { FakeEnvironment, turns } from "./support/fake-environment.js";
import { at, event, FakeTransport } from "./support/fake-server.js";
import { outcome } from "./support/stage.js";

interface Shape {
  readonly id: string;
  readonly parent?: string | undefined;
}
const shape = z.object({ id: z.string(), parent: z.string().optional() });
const NO_LUCK = "no luck";

/** Shapes whose ids the server gives: what follows a shape has to name it by the id that it got. */
const contract = defineContract({
  channels: {
    "sheet:{id}": channel({
      events: { "shape:add": shape },
      state: {
        version: 1,
        initial: [] as readonly Shape[],
        reduce: (shapes, { payload }) => [...shapes, payload],
        reconcile({ payload }, { sent, landed }) {
          if (payload.id === NO_LUCK) throw new Error(NO_LUCK);
          return payload.parent === sent.payload.id ? { ...payload, parent: landed.payload.id } : payload;
        },
      },
    }),
  },
});

function stageOf(storage?: ClientStorage) {
  const transport = new FakeTransport();
  const client = createClient({ url: "ws://server", contract, environment: new FakeEnvironment(), transport, lifecycle: { watch: () => () => {} }, ...(storage && { storage }) });
  const errors: string[] = [];
  client.on("error", ({ code }) => errors.push(code));
  return { client, errors, sheet: client.channel("sheet:{id}", { id: "1" }), transport };
}

async function online(storage?: ClientStorage) {
  const stage = stageOf(storage);
  stage.client.connect();
  await turns(30);
  const { link } = stage.transport;
  link.open();
  link.welcome();
  await turns(30);
  const sent = () => link.of("publish").map(({ n, payload }) => [n, payload]);
  return { ...stage, link, sent };
}

describe("what the server made of a publish", () => {
  it("STA-11 is told, and changes what waits behind it before that is sent, one at a time", async () => {
    const { sheet, link, sent, client } = await online();
    const first = sheet.publish("shape:add", { id: "temporary" });
    void sheet.publish("shape:add", { id: "b", parent: "temporary" });
    void sheet.publish("shape:add", { id: "c" });
    expect(sent()).toEqual([[1, { id: "temporary" }]]);
    const { bytes } = client.pending.getSnapshot();
    link.answer(link.last("publish"), { position: at(1), eventId: "public:1", payload: { id: "17" } });
    expect(await outcome(first)).toEqual({ position: at(1), eventId: "public:1", payload: { id: "17" } });
    expect(sent()).toEqual([
      [1, { id: "temporary" }],
      [2, { id: "b", parent: "17" }],
    ]);
    expect(sheet.pending.getSnapshot().map(({ payload }) => payload)).toEqual([{ id: "b", parent: "17" }, { id: "c" }]);
    expect(client.pending.getSnapshot().bytes).toBeLessThan(bytes);
    link.answer(link.last("publish"), { position: at(2), eventId: "public:2" });
    expect(sent().at(-1)).toEqual([3, { id: "c" }]);
    link.answer(link.last("publish"), { position: at(3), eventId: "public:3" });
    expect(client.pending.getSnapshot()).toEqual({ count: 0, bytes: 0 });
  });

  it("STA-11 is taken from the event where that comes before the answer", async () => {
    const { sheet, link, sent } = await online();
    void sheet.subscribe();
    link.answer(link.last("subscribe"), { position: at(0) });
    const first = sheet.publish("shape:add", { id: "temporary" });
    void sheet.publish("shape:add", { id: "b", parent: "temporary" });
    link.events("sheet:1", 1, event("shape:add", { id: "17" }, "public:1"));
    expect(await outcome(first)).toEqual({ position: at(1), eventId: "public:1", payload: { id: "17" } });
    expect(sent().at(-1)).toEqual([2, { id: "b", parent: "17" }]);
    expect(sheet.state.getSnapshot()).toEqual([{ id: "17" }, { id: "b", parent: "17" }]);
  });

  it("STA-11 is stored before what it changed is sent", async () => {
    const storage = memoryStorage();
    const { sheet, link, sent } = await online(storage);
    void sheet.publish("shape:add", { id: "temporary" });
    void sheet.publish("shape:add", { id: "b", parent: "temporary" });
    void sheet.publish("shape:add", { id: "c", parent: "temporary" });
    await turns(30);
    link.answer(link.last("publish"), { position: at(1), eventId: "public:1", payload: { id: "17" } });
    expect(sent()).toHaveLength(1);
    await turns(30);
    expect(sent().at(-1)).toEqual([2, { id: "b", parent: "17" }]);
    expect((await left(storage))?.publishes).toMatchObject([
      { n: 2, payload: { id: "b", parent: "17" }, attempted: true },
      { n: 3, payload: { id: "c", parent: "17" }, attempted: false },
    ]);
  });

  it("STA-11 changes also what is on its way to the storage", async () => {
    const storage = memoryStorage();
    const { sheet, link, sent } = await online(storage);
    void sheet.publish("shape:add", { id: "temporary" });
    await turns(30);
    void sheet.publish("shape:add", { id: "b", parent: "temporary" });
    link.answer(link.last("publish"), { position: at(1), eventId: "public:1", payload: { id: "17" } });
    await turns(30);
    expect(sent().at(-1)).toEqual([2, { id: "b", parent: "17" }]);
    expect((await left(storage))?.publishes).toMatchObject([{ n: 2, payload: { id: "b", parent: "17" }, attempted: true }]);
  });

  it("STA-11 leaves what was attempted by an earlier page as it is, and sends one at a time after it", async () => {
    const storage = memoryStorage();
    const held = await storage.hold();
    const put = (n: number, payload: Shape, attempted: boolean) => ({ kind: "put", publish: { channel: "sheet:1", n, type: "shape:add", payload, timestamp: 1_700_000_000_000, attempted } }) as const;
    await held.write([
      { kind: "begin", identity: { secret: "secret-".padEnd(44, "x"), publicId: "public", user: undefined } },
      put(1, { id: "temporary" }, true),
      put(2, { id: "b", parent: "temporary" }, true),
      put(3, { id: "c", parent: "temporary" }, false),
    ]);
    storage.abandon();
    const { link, sent } = await online(storage);
    link.answer(link.last("publish"), { position: at(1), eventId: "public:1", payload: { id: "17" } });
    await turns(30);
    link.answer(link.last("publish"), { position: at(2), eventId: "public:2" });
    await turns(30);
    expect(sent()).toEqual([
      [1, { id: "temporary" }],
      [2, { id: "b", parent: "temporary" }],
      [3, { id: "c", parent: "17" }],
    ]);
  });

  it("STA-11 a reconcile that throws surfaces, and the publish stays as it is", async () => {
    const { sheet, link, sent, errors } = await online();
    void sheet.publish("shape:add", { id: "temporary" });
    void sheet.publish("shape:add", { id: NO_LUCK, parent: "temporary" });
    link.answer(link.last("publish"), { position: at(1), eventId: "public:1", payload: { id: "17" } });
    expect(errors).toEqual(["INTERNAL"]);
    expect(sent().at(-1)).toEqual([2, { id: NO_LUCK, parent: "temporary" }]);
  });
});
