import { describe, expect, it } from "vitest";
import { channel, defineContract } from "@tutti/protocol";
import { z } from "zod";
import { createClient } from "../src/index.js";
import { FakeEnvironment } from "./support/fake-environment.js";
import { at, event, FakeTransport } from "./support/fake-server.js";

const line = z.object({ id: z.string(), text: z.string() });
type Lines = Readonly<Record<string, string>>;
const none: Lines = {};

/** Lines by id; a line can be changed only where it is. The server gives the ids. */
const contract = defineContract({
  channels: {
    "page:{id}": channel({
      events: { "line:add": line, "line:change": line },
      state: {
        version: 1,
        initial: none,
        reduce: (lines, { type, payload: { id, text } }) => (type === "line:add" || id in lines ? { ...lines, [id]: text } : lines),
        reconcile({ payload }, { sent, landed }) {
          if (payload.text === "cursed") throw new Error("nobody knows");
          return payload.id === sent.payload.id ? { ...payload, id: landed.payload.id } : payload;
        },
      },
    }),
  },
});

/** A page that is live, with two publishes that wait: a line, and a change of it. */
function twoWait(change = "Ulysses") {
  const transport = new FakeTransport();
  const client = createClient({ url: "ws://server", contract, environment: new FakeEnvironment(), transport });
  const errors: string[] = [];
  client.on("error", ({ code }) => errors.push(code));
  const { state, ...page } = client.channel("page:{id}", { id: "1" });
  void page.subscribe();
  const { link } = transport;
  link.open();
  link.welcome();
  link.answer(link.last("subscribe"), { position: at(0) });
  void page.publish("line:add", { id: "new", text: "Emma" });
  void page.publish("line:change", { id: "new", text: change });
  const first = link.last("publish");
  const shown: unknown[] = [];
  state.subscribe(() => shown.push(state.getSnapshot()));
  const landed = { id: "17", text: "Emma" };
  return {
    state,
    link,
    shown,
    errors,
    ack: () => link.answer(first, { position: at(1), eventId: "public:1", payload: landed }),
    arrive: () => link.events("page:1", 1, event("line:add", landed, "public:1")),
  };
}

describe("what the server made of a publish", () => {
  it("STA-11: is shown from the ack on, with what waits behind it, and is canonical with its event", () => {
    const { state, shown, ack, arrive } = twoWait();
    expect(state.getSnapshot()).toEqual({ new: "Ulysses" });
    ack();
    expect([state.getSnapshot(), state.canonical()]).toEqual([{ 17: "Ulysses" }, {}]);
    arrive();
    expect([state.getSnapshot(), state.canonical()]).toEqual([{ 17: "Ulysses" }, { 17: "Emma" }]);
    // Nobody was shown one without the other.
    expect(new Set(shown.map((lines) => JSON.stringify(lines)))).toEqual(new Set(['{"17":"Ulysses"}']));
  });

  it("STA-11: is shown from the event on where that comes first, and the ack changes nothing", () => {
    const { state, shown, ack, arrive } = twoWait();
    arrive();
    expect([state.getSnapshot(), state.canonical()]).toEqual([{ 17: "Ulysses" }, { 17: "Emma" }]);
    ack();
    expect(new Set(shown.map((lines) => JSON.stringify(lines)))).toEqual(new Set(['{"17":"Ulysses"}']));
  });

  it("STA-11: leaves a publish as it is shown where reconcile throws", () => {
    const { state, errors, arrive } = twoWait("cursed");
    arrive();
    expect([state.getSnapshot(), errors]).toEqual([{ 17: "Emma" }, ["INTERNAL"]]);
  });
});
