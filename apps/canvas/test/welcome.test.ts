import { TuttiError } from "tutti/contract";
import { memoryBroker, type Broker } from "tutti/server";
import { describe, expect, it } from "vitest";
import { createCanvasServer } from "../src/server/canvas-server.js";
import { putWelcomeCanvas, welcomeCanvasId } from "../src/server/welcome.js";

/** A log that outlives its servers. Of the appends from now on, `left` succeed. */
function lastingLog(): { readonly broker: Broker; left: number } {
  const broker = memoryBroker();
  const log = { broker, left: Infinity };
  const append = broker.append.bind(broker);
  broker.append = (channel, request) => (log.left-- > 0 ? append(channel, request) : Promise.reject(new TuttiError("UNAVAILABLE")));
  broker.close = () => Promise.resolve();
  return log;
}

describe("the first canvas", () => {
  it("is put where there is none, and not again after a restart: what people took away stays away", async () => {
    const log = lastingLog();
    const first = createCanvasServer(log.broker);
    await putWelcomeCanvas(first);
    await first.channel("canvas:{id}", { id: welcomeCanvasId }).publish("concept:delete", { id: "move" });
    await first.close();

    const second = createCanvasServer(log.broker);
    await putWelcomeCanvas(second);
    const { state } = await second.channel("canvas:{id}", { id: welcomeCanvasId }).state();
    expect([state.concepts.length, state.arrows.length, state.chat.length]).toEqual([5, 4, 1]);
    expect((await second.channel("lobby:main", {}).state()).state.canvases.map(({ id }) => id)).toEqual([welcomeCanvasId]);
  });

  it("is not put beside canvases that people have made", async () => {
    const server = createCanvasServer(memoryBroker());
    await server.channel("lobby:main", {}).publish("canvas:create", { id: welcomeCanvasId, name: "Ours" });
    await putWelcomeCanvas(server);
    expect((await server.channel("canvas:{id}", { id: welcomeCanvasId }).state()).state.concepts).toEqual([]);
  });

  it.each([0, 3, 8, 12])("is whole, with nothing twice, also where a server stopped after %i of its events", async (appendsMax) => {
    const log = lastingLog();
    log.left = appendsMax;
    const stopped = createCanvasServer(log.broker);
    await expect(putWelcomeCanvas(stopped)).rejects.toThrow(TuttiError);
    await stopped.close();

    log.left = Infinity;
    const server = createCanvasServer(log.broker);
    await putWelcomeCanvas(server);
    const { state } = await server.channel("canvas:{id}", { id: welcomeCanvasId }).state();
    expect([state.concepts.length, state.arrows.length, state.chat.length]).toEqual([6, 5, 1]);
    expect(new Set(state.chat.map(({ text }) => text)).size).toBe(1);
  });
});
