import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { canvasFolder, startCanvas, type CanvasProcess } from "./canvas-process.js";

describe("the directory of a canvas server", () => {
  let server: CanvasProcess | undefined;
  afterEach(() => server?.remove());

  it("LOG-3 belongs to one server: a second one says so in one sentence, and ends", async () => {
    server = await startCanvas();
    const { directory } = server;
    await expect(startCanvas({ directory })).rejects.toThrow(new RegExp(`\\nTutti canvas cannot keep its canvases: process \\d+ holds ${directory}\\.`));
    await server.kill();
    server = await startCanvas({ directory });
    expect(server.lines, "a dead holder is no hindrance").toHaveLength(1);
  });

  it("is told with the reason where nothing can be written", async () => {
    const directory = join(canvasFolder, "package.json/data");
    await expect(startCanvas({ directory })).rejects.toThrow(/ended with 1 .*\nTutti canvas cannot keep its canvases: .*package\.json/);
  });
});
