import { faultProxy, type FaultProxy } from "tutti/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { startCanvas, type CanvasProcess } from "./canvas-process.js";
import { launchChromium } from "./chromium.js";
import { connected, makeCanvas, visit, type Visitor } from "./visitor.js";

/** A browser for all tests of a suite: it is there from the first one on. */
export function suiteBrowser(...options: Parameters<typeof launchChromium>): () => Browser {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launchChromium(...options);
  });
  afterAll(() => browser?.close());
  return () => {
    if (browser === undefined) throw new Error("the browser was not started");
    return browser;
  };
}

/** Two people on one canvas, connected. */
export interface TwoPeople {
  readonly ada: Visitor;
  readonly bo: Visitor;
  /** Of the canvas. */
  readonly path: string;
}

/** Ada makes a canvas, and Bo comes to it. Each has an address of the same server. */
export async function meet(browser: Browser, atAda: string, atBo: string, canvas = "Roots"): Promise<TwoPeople> {
  const ada = await visit(browser, atAda, { name: "Ada", colour: "violet" });
  const path = await makeCanvas(ada, canvas);
  const bo = await visit(browser, `${atBo}${path}`, { name: "Bo", colour: "green" });
  await Promise.all([connected(ada), connected(bo)]);
  return { ada, bo, path };
}

/** Closes the windows of those who are there. */
export async function closeBoth({ ada, bo }: { readonly ada: Visitor | undefined; readonly bo: Visitor | undefined }): Promise<void> {
  await Promise.all([ada?.context.close(), bo?.context.close()]);
}

/** Two people on a server of their own, which Ada reaches through the proxy, and Bo directly. */
export interface ApartFromServer extends TwoPeople {
  readonly server: CanvasProcess;
  readonly proxy: FaultProxy;
}

export async function meetThroughProxy(browser: Browser, canvas?: string): Promise<ApartFromServer> {
  const server = await startCanvas();
  const proxy = await faultProxy({ target: { port: server.port } });
  const people = await meet(browser, `http://localhost:${proxy.port}`, `http://localhost:${server.port}`, canvas);
  return { ...people, server, proxy };
}
