import { channel, defineContract, TuttiError } from "tutti/contract";
import { createClient, select, undoHistory } from "tutti/client";
import { createServer } from "tutti/server";
import { z } from "zod";

/*
 * CTR-4: what does not compile. Nothing here runs: the compiler reads it, and fails on a line that expects an error and has none.
 */

const contract = defineContract({
  channels: {
    "canvas:{id}": channel({
      events: { "concept:create": z.object({ id: z.string(), title: z.string().default("Untitled") }) },
      signals: { "cursor:move": z.object({ x: z.number(), y: z.number() }) },
      calls: { "canvas:stats": { input: z.object({}), output: z.object({ concepts: z.number() }) } },
      presence: z.object({ name: z.string() }),
      state: { version: 1, initial: { titles: [] as readonly string[] }, reduce: ({ titles }, { payload }) => ({ titles: [...titles, payload.title] }) },
    }),
    "lobby:main": channel({ events: { "lobby:say": z.string() } }),
  },
  calls: { "canvas:list": { input: z.object({}), output: z.array(z.string()) } },
});

/** The client's end. */
export async function clientEnd(): Promise<void> {
  const client = createClient({ url: "/v1/connect", contract });
  const canvas = client.channel("canvas:{id}", { id: "7f" });
  const lobby = client.channel("lobby:main");

  // @ts-expect-error there is no such pattern
  client.channel("canvas", { id: "7f" });
  // @ts-expect-error the parameter is missing
  client.channel("canvas:{id}");
  // @ts-expect-error the parameter has another name
  client.channel("canvas:{id}", { name: "7f" });
  // @ts-expect-error the parameter is text
  client.channel("canvas:{id}", { id: 7 });

  await canvas.publish("concept:create", { id: "c1" });
  await canvas.publish("concept:create", { id: "c1", title: "Sun" });
  // @ts-expect-error there is no such event
  await canvas.publish("concept:rename", { id: "c1" });
  // @ts-expect-error a signal is not published
  await canvas.publish("cursor:move", { x: 1, y: 2 });
  // @ts-expect-error the id is missing
  await canvas.publish("concept:create", { title: "Sun" });
  // @ts-expect-error an event of another channel
  await lobby.publish("concept:create", { id: "c1" });

  canvas.signal("cursor:move", { x: 1, y: 2 });
  // @ts-expect-error the coordinate is a number
  canvas.signal("cursor:move", { x: "1", y: 2 });
  // @ts-expect-error there are no signals in the lobby
  lobby.signal("cursor:move", { x: 1, y: 2 });

  const { concepts } = await canvas.call("canvas:stats", {});
  concepts.toFixed();
  // @ts-expect-error a call of the contract, not of the channel
  await canvas.call("canvas:list", {});
  (await client.call("canvas:list", {})).map((name) => name.trim());
  // @ts-expect-error a call of a channel
  await client.call("canvas:stats", {});

  canvas.on("concept:create", ({ payload, position, own }) => [payload.title.trim(), position.seq.toFixed(), own]);
  canvas.on("cursor:move", ({ payload, session }) => [payload.x.toFixed(), session.trim()]);
  canvas.on("gap", ({ from, to }) => from.seq < to.seq);
  // @ts-expect-error there is nothing of this name to hear
  canvas.on("concept:rename", () => {});
  // @ts-expect-error a concept has no name
  canvas.on("concept:create", ({ payload }) => payload.name);

  await canvas.subscribe({ presence: { state: { name: "Ada" } } });
  // @ts-expect-error a member has a name
  await canvas.subscribe({ presence: { state: {} } });
  // @ts-expect-error nobody has a state in the lobby
  await lobby.subscribe({ presence: { state: { name: "Ada" } } });
  for (const { devices } of canvas.presence.getSnapshot().people) for (const { state } of devices) state?.name.trim();

  canvas.state.getSnapshot().titles.join();
  // @ts-expect-error there is no such thing in the state
  void canvas.state.getSnapshot().title;
  // @ts-expect-error the lobby has no state
  void lobby.state.getSnapshot().titles;
  select(canvas.state, ({ titles }) => titles.length)
    .getSnapshot()
    .toFixed();
  // @ts-expect-error there is no such thing in the state
  select(canvas.state, ({ title }) => title);

  const history = undoHistory(canvas, { contract });
  await history.publish("concept:create", { id: "c1" });
  // @ts-expect-error the id is missing
  await history.publish("concept:create", { title: "Sun" });
  // @ts-expect-error a signal is not undone
  await history.publish("cursor:move", { x: 1, y: 2 });
  history.transact(() => "c1").trim();
  // @ts-expect-error only the contract says what undoes an event
  undoHistory(canvas);
}

/** The server's end. */
export async function serverEnd(): Promise<void> {
  const server = createServer({
    contract,
    authenticate: ({ token }) => ({ id: token ?? "", role: "editor" as const }),
    channels: {
      "canvas:{id}": {
        exists: ({ params }) => params.id !== "gone",
        authorize: ({ action, user }) => action !== "publish" || user?.role === "editor",
        publish: {
          "concept:create": ({ payload }) => {
            if (payload.title === "") throw new TuttiError("TITLE_EMPTY");
            return { ...payload, title: payload.title.trim() };
          },
        },
        calls: { "canvas:stats": () => ({ concepts: 1 }) },
      },
    },
    calls: { "canvas:list": ({ user }) => [user?.id ?? ""] },
  });

  const canvas = server.channel("canvas:{id}", { id: "7f" });
  await canvas.signal("cursor:move", { x: 1, y: 2 }, { to: { user: "ada" } });
  await canvas.signal("cursor:move", { x: 1, y: 2 }, { to: { connection: server.connections()[0]?.connection ?? "" } });
  // @ts-expect-error a signal is for one target
  await canvas.signal("cursor:move", { x: 1, y: 2 }, { to: "ada" });
  // @ts-expect-error a session has a name
  await canvas.signal("cursor:move", { x: 1, y: 2 }, { to: { session: 5 } });
  // @ts-expect-error nobody is put in by a connection, which ends
  await canvas.add({ connection: "c" });
  await canvas.publish("concept:create", { id: "c1" });
  // @ts-expect-error there is no such event
  await canvas.publish("concept:rename", { id: "c1" });
  // @ts-expect-error the payload is no number
  await canvas.publish("concept:create", 5);
  // @ts-expect-error the parameter is missing
  server.channel("canvas:{id}", {});
  (await canvas.state()).state.titles.join();

  // @ts-expect-error there is no such pattern
  createServer({ contract, channels: { "canvas:{name}": {} } });
  // @ts-expect-error a parameter that the pattern does not have
  createServer({ contract, channels: { "canvas:{id}": { exists: ({ params }) => params.name === "x" } } });
  // @ts-expect-error there is no such event
  createServer({ contract, channels: { "canvas:{id}": { publish: { "concept:rename": () => {} } } } });
  // @ts-expect-error the result has a number
  createServer({ contract, channels: { "canvas:{id}": { calls: { "canvas:stats": () => ({ concepts: "1" }) } } } });
  // @ts-expect-error a user has an id
  createServer({ contract, authenticate: () => ({ name: "Ada" }) });
}
