import { faultProxy, type FaultProxy } from "tutti/testing";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startCanvas, type CanvasProcess } from "./canvas-process.js";
import { hasChromium, launchChromium } from "./chromium.js";
import { connected, pageKept, visit, type Visitor } from "./visitor.js";

describe.skipIf(!hasChromium)("a page without a network", () => {
  let browser: Browser;
  let server: CanvasProcess;
  let proxy: FaultProxy;
  /** Reaches the server through the proxy. */
  let ada: Visitor;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
  });
  beforeEach(async () => {
    server = await startCanvas();
    proxy = await faultProxy({ target: { port: server.port } });
    ada = await visit(browser, `http://localhost:${proxy.port}`, { name: "Ada", colour: "violet" });
    await pageKept(ada);
  });
  afterEach(async () => {
    await ada?.context.close();
    await proxy?.close();
    await server?.kill();
  });

  const cut = () => {
    proxy.refuse();
    proxy.reset();
  };

  it("opens after the first visit, at any of its addresses, and is connected once there is a network", async () => {
    cut();
    await ada.page.reload();
    await ada.page.getByRole("heading", { name: "Think together." }).waitFor();
    await ada.page.goto(`http://localhost:${proxy.port}/c/start2g7`);
    await ada.page.getByTestId("board").waitFor();
    proxy.resume();
    await ada.page.reload();
    await connected(ada);
    expect(ada.complaints).toEqual([]);
  });
});
