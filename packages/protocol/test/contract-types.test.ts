import type { StandardSchemaV1 } from "@standard-schema/spec";
import {
  channel,
  channelName,
  defineContract,
  validate,
  type CallInput,
  type CallOutput,
  type CallPayload,
  type CallResult,
  type ChannelEvent,
  type ChannelPublish,
  type EventInput,
  type EventPayload,
  type EventTypeOf,
  type GlobalCallOutput,
  type PatternOf,
  type PresenceState,
  type SignalPayload,
  type SignalTypeOf,
  type StateOf,
} from "@tutti/protocol";
import { expectTypeOf, it } from "vitest";
import { z } from "zod";

/*
 * What compiles is checked by `tsc -b`, which also fails on a line that expects an error and has none. Running this file checks nothing
 * more than that it loads.
 */

declare const degreesOf: StandardSchemaV1<string, number>;
const degrees: typeof degreesOf = { "~standard": { version: 1, vendor: "hand-made", validate: (value) => ({ value: Number(value) }) } };

const concept = z.object({ id: z.string(), title: z.string().default("Untitled") });
const contract = defineContract({
  channels: {
    "canvas:{id}": channel({
      events: { "concept:create": concept, "concept:delete": z.object({ id: z.string() }), "weather:set": degrees },
      signals: { "cursor:move": z.object({ x: z.number(), y: z.number() }) },
      calls: { "canvas:stats": { input: z.object({ since: z.coerce.number() }), output: z.object({ at: z.string().transform(Number) }) } },
      presence: z.object({ name: z.string() }),
      state: {
        version: 1,
        initial: { titles: [] as readonly string[] },
        reduce(state, event) {
          switch (event.type) {
            case "concept:create":
              return { titles: [...state.titles, event.payload.title] };
            case "concept:delete":
              return { titles: state.titles.filter((title) => title !== event.payload.id) };
            case "weather:set":
              return { titles: [...state.titles, event.payload.toFixed(1)] };
          }
        },
      },
    }),
    "lobby:all": channel({ events: { "canvas:open": z.string() } }),
    "shelf:{id}": channel({
      events: { "book:put": concept, "book:take": z.object({ id: z.string() }) },
      state: {
        version: 1,
        initial: new Map<string, string>(),
        reduce: (books, event) => (event.type === "book:put" ? new Map([...books, [event.payload.id, event.payload.title]]) : books),
        reconcile: ({ type, payload }, { sent, landed }) => {
          expectTypeOf(type).toEqualTypeOf<"book:put" | "book:take">();
          return payload.id === sent.payload.id ? { ...payload, id: landed.payload.id } : payload;
        },
        inverse: (event, before) => {
          expectTypeOf(before).toEqualTypeOf<Map<string, string>>();
          if (event.type === "book:put") return { type: "book:take", payload: { id: event.payload.id } };
          const title = before.get(event.payload.id);
          return title === undefined ? undefined : [{ type: "book:put", payload: { id: event.payload.id, title } }];
        },
      },
    }),
  },
  calls: { "canvas:list": { input: z.object({}), output: z.array(z.string()) } },
});
type C = typeof contract;
type Canvas = "canvas:{id}";

it("CTR-4: the names of a contract are known", () => {
  expectTypeOf<PatternOf<C>>().toEqualTypeOf<Canvas | "lobby:all" | "shelf:{id}">();
  expectTypeOf<EventTypeOf<C, Canvas>>().toEqualTypeOf<"concept:create" | "concept:delete" | "weather:set">();
  expectTypeOf<SignalTypeOf<C, Canvas>>().toEqualTypeOf<"cursor:move">();
  expectTypeOf<SignalTypeOf<C, "lobby:all">>().toEqualTypeOf<never>();
  // @ts-expect-error there is no such pattern
  type _No1 = EventTypeOf<C, "canvas">;
  // @ts-expect-error there is no such event
  type _No2 = EventInput<C, Canvas, "concept:rename">;
  // @ts-expect-error a signal is no event
  type _No3 = EventInput<C, Canvas, "cursor:move">;
  // @ts-expect-error an event of another pattern
  type _No4 = EventInput<C, "lobby:all", "concept:create">;
});

it("CTR-4: what goes in is a schema's input, what comes out is its output", () => {
  expectTypeOf<EventInput<C, Canvas, "concept:create">>().toEqualTypeOf<{ id: string; title?: string | undefined }>();
  expectTypeOf<EventPayload<C, Canvas, "concept:create">>().toEqualTypeOf<{ id: string; title: string }>();
  expectTypeOf<EventInput<C, Canvas, "weather:set">>().toEqualTypeOf<string>();
  expectTypeOf<EventPayload<C, Canvas, "weather:set">>().toEqualTypeOf<number>();
  expectTypeOf<SignalPayload<C, Canvas, "cursor:move">>().toEqualTypeOf<{ x: number; y: number }>();
  expectTypeOf<PresenceState<C, Canvas>>().toEqualTypeOf<{ name: string }>();
  expectTypeOf<PresenceState<C, "lobby:all">>().toEqualTypeOf<never>();
});

it("CTR-4: a call has the input and output of its two schemas, at each end", () => {
  expectTypeOf<CallInput<C, Canvas, "canvas:stats">>().toEqualTypeOf<{ since: unknown }>();
  expectTypeOf<CallPayload<C, Canvas, "canvas:stats">>().toEqualTypeOf<{ since: number }>();
  expectTypeOf<CallResult<C, Canvas, "canvas:stats">>().toEqualTypeOf<{ at: string }>();
  expectTypeOf<CallOutput<C, Canvas, "canvas:stats">>().toEqualTypeOf<{ at: number }>();
  expectTypeOf<GlobalCallOutput<C, "canvas:list">>().toEqualTypeOf<string[]>();
  // @ts-expect-error a call of a channel is not one of the contract
  type _No5 = GlobalCallOutput<C, "canvas:stats">;
});

it("CTR-4: an event is told apart by its type, and the state is what the reducer makes", () => {
  expectTypeOf<StateOf<C, Canvas>>().toEqualTypeOf<{ titles: readonly string[] }>();
  expectTypeOf<StateOf<C, "lobby:all">>().toEqualTypeOf<undefined>();
  expectTypeOf<Extract<ChannelEvent<C, Canvas>, { type: "weather:set" }>["payload"]>().toEqualTypeOf<number>();
});

it("CTR-4: what undoes an event, and what it becomes beside another, are publishes of its channel", () => {
  expectTypeOf<StateOf<C, "shelf:{id}">>().toEqualTypeOf<Map<string, string>>();
  expectTypeOf<ChannelPublish<C, "shelf:{id}">>().toEqualTypeOf<
    | { readonly type: "book:put"; readonly payload: { id: string; title: string } }
    | { readonly type: "book:take"; readonly payload: { id: string } }
  >();
  const notes = { version: 1, initial: 0, reduce: (count: number) => count + 1 } as const;
  const refused = () => {
    channel({
      events: { "note:add": z.object({ id: z.string() }) },
      // @ts-expect-error there is no such event
      state: { ...notes, inverse: ({ payload }) => ({ type: "note:remove", payload }) },
    });
    channel({
      events: { "note:add": z.object({ id: z.string() }) },
      // @ts-expect-error a note has an id
      state: { ...notes, inverse: () => ({ type: "note:add", payload: {} }) },
    });
    channel({
      events: { "note:add": z.object({ id: z.string() }) },
      // @ts-expect-error the state is a number
      state: { ...notes, inverse: (event, before) => (before.length === 0 ? undefined : event) },
    });
    channel({
      events: { "note:add": z.object({ id: z.string() }) },
      // @ts-expect-error what comes back is the payload alone
      state: { ...notes, reconcile: (pending) => pending },
    });
  };
  expectTypeOf(refused).returns.toBeVoid();
});

it("CTR-4: the parameters of a pattern are asked for", () => {
  channelName("canvas:{id}", { id: "7f" });
  channelName("canvas:{id}:{part}", { id: "7f", part: "chat" });
  const refused = () => {
    // @ts-expect-error a parameter is missing
    channelName("canvas:{id}", {});
    // @ts-expect-error a parameter with another name
    channelName("canvas:{id}", { name: "7f" });
    // @ts-expect-error a parameter is text
    channelName("canvas:{id}", { id: 7 });
    // @ts-expect-error a parameter too many
    channelName("canvas:{id}", { id: "7f", part: "chat" });
  };
  expectTypeOf(refused).returns.toBeVoid();
});

it("CTR-4: a contract that contradicts itself does not compile", () => {
  const refused = () => {
    // @ts-expect-error a schema is needed
    channel({ events: { "note:add": "text" } });
    // @ts-expect-error a call has an output
    channel({ calls: { "note:count": { input: z.string() } } });
    // @ts-expect-error the state that comes out is the one that goes in
    channel({ events: { "note:add": z.string() }, state: { version: 1, initial: 0, reduce: (count: number, event) => `${count}${event.payload}` } });
    channel({
      events: { "note:add": z.string() },
      // @ts-expect-error there is no such event
      state: { version: 1, initial: 0, reduce: (count: number, event) => (event.type === "note:remove" ? 0 : count) },
    });
    // @ts-expect-error a state has a version
    channel({ state: { initial: 0, reduce: (count: number) => count } });
  };
  expectTypeOf(refused).returns.toBeVoid();
});

it("CTR-4: a schema gives its output", () => {
  expectTypeOf(validate(concept, { id: "c1" })).toEqualTypeOf<{ id: string; title: string } | Promise<{ id: string; title: string }>>();
});
