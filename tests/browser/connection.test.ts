import type { FaultProxy } from "tutti/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startCanvas, type CanvasProcess } from "./canvas-process.js";
import { hasChromium } from "./chromium.js";
import { listenTo } from "./listener.js";
import { expectSameContent } from "./same-content.js";
import { closeBoth, meetThroughProxy, suiteBrowser } from "./two-people.js";
import { addConcept, connected, contentOf, type Visitor } from "./visitor.js";

const poll = { timeout: 10_000, interval: 50 };
/** The longest pause before the fourth attempt, and time to get through. */
const backoffPoll = { timeout: 25_000, interval: 50 };

const hasStatus = ({ connection, page }: Visitor, status: string) => connection.and(page.locator(`[data-status=${status}]`));

describe.skipIf(!hasChromium)("a connection that breaks", () => {
  const browser = suiteBrowser();
  let server: CanvasProcess;
  let proxy: FaultProxy;
  /** Reaches the server through the proxy. */
  let ada: Visitor;
  /** Reaches the server directly. */
  let bo: Visitor;

  beforeEach(async () => {
    ({ server, proxy, ada, bo } = await meetThroughProxy(browser()));
    await bo.page.getByRole("button", { name: "Ada", exact: true }).waitFor();
  });
  afterEach(async () => {
    await closeBoth({ ada, bo });
    await proxy?.close();
    await server?.remove();
  });

  it("PUB-9 edits made without a connection are shown as pending, wait, and go out in order", async () => {
    proxy.refuse();
    proxy.reset();
    await hasStatus(ada, "reconnecting").waitFor();
    await addConcept(ada, "First", 300, 200);
    await addConcept(ada, "Second", 500, 300);
    await ada.concept("Second").and(ada.page.locator("[data-pending=true]")).waitFor();
    await expect.poll(() => ada.page.getByTestId("pending-count").textContent(), poll).toMatch(/^4 edits/);
    await expect.poll(() => ada.connection.textContent(), poll).toMatch(/next try in \d+ s/);
    // Somebody else goes on in the meantime.
    await addConcept(bo, "Meanwhile", 400, 450);
    expect(await bo.concepts.count()).toBe(1);

    proxy.resume();
    // Unless it was about to try anyway, and is through.
    await ada.page.getByRole("button", { name: "Try now" }).or(hasStatus(ada, "connected")).first().click();
    await bo.concept("Second").waitFor();
    await ada.concept("Meanwhile").waitFor();
    await expect.poll(() => ada.page.locator("[data-pending=true]").count(), poll).toBe(0);
    expect(await ada.page.getByTestId("pending-count").count()).toBe(0);
    await expectSameContent(ada, bo);
  });

  it("CON-7 LOG-2 the server is killed and started again while both write: both reconnect by backoff, and nothing is lost or there twice", async () => {
    await addConcept(ada, "Before", 300, 200);
    await bo.concept("Before").waitFor();
    const { port, directory } = server;
    await server.kill();
    await Promise.all([hasStatus(ada, "reconnecting").waitFor(), hasStatus(bo, "reconnecting").waitFor()]);

    const write = async (visitor: Visitor, count: number, x: number) => {
      for (let number = 1; number <= count; number += 1) await addConcept(visitor, `${visitor.name} ${number}`, x, 120 + number * 90);
      const message = visitor.page.getByLabel("Message", { exact: true });
      await message.fill(`${visitor.name} was here`);
      await message.press("Enter");
    };
    await Promise.all([write(ada, 3, 250), write(bo, 3, 650)]);
    server = await startCanvas({ port, directory });
    await Promise.all([write(ada, 4, 400), write(bo, 4, 800)]);

    await Promise.all([hasStatus(ada, "connected").waitFor({ timeout: 25_000 }), hasStatus(bo, "connected").waitFor({ timeout: 25_000 })]);
    for (const visitor of [ada, bo]) {
      await expect.poll(() => visitor.page.getByTestId("pending-count").count(), backoffPoll).toBe(0);
      // The one of before, three and four of each, and four messages.
      await expect.poll(async () => (await contentOf(visitor)).length, backoffPoll).toBe(19);
      expect(await visitor.page.getByTestId("toast").count()).toBe(0);
    }
    await expectSameContent(ada, bo);
    expect([...ada.complaints, ...bo.complaints]).toEqual([]);
  });

  it("REC-3 a server that has lost its directory is told from one that was only away", async () => {
    await addConcept(ada, "Before", 300, 200);
    await bo.concept("Before").waitFor();
    const { port } = server;
    await server.remove();
    await Promise.all([hasStatus(ada, "reconnecting").waitFor(), hasStatus(bo, "reconnecting").waitFor()]);
    await addConcept(ada, "After", 500, 300);
    server = await startCanvas({ port });

    for (const visitor of [ada, bo]) {
      await visitor.page.getByTestId("toast").filter({ hasText: "has lost" }).waitFor({ timeout: 25_000 });
      await visitor.concept("After").waitFor();
      await expect.poll(() => visitor.concepts.count(), backoffPoll).toBe(1);
    }
    expect(await ada.page.getByRole("button", { name: "Roots" }).count(), "the canvas is on the list again, by its name").toBe(1);
  });

  it("PRE-2 HB-2 somebody whose line is dead leaves within 35 s and the grace", async () => {
    proxy.halfOpen();
    const deadAt = performance.now();
    await expect.poll(() => bo.people.count(), { timeout: 60_000, interval: 100 }).toBe(1);
    expect((performance.now() - deadAt) / 1000).toBeLessThan(35 + 10 + 2);
    expect(await hasStatus(ada, "connected").count()).toBe(0);
  });

  it("SRV-1 a server that is stopped sends its clients away and ends", async () => {
    const stopped = server.stop();
    await hasStatus(bo, "reconnecting").waitFor();
    expect(await stopped).toBe(0);
  });
});

describe.skipIf(!hasChromium)("a page that is left", () => {
  const browser = suiteBrowser("with back-forward cache");
  let server: CanvasProcess;
  let proxy: FaultProxy;
  /** Reaches the server through the proxy. */
  let ada: Visitor;
  let bo: Visitor;

  beforeAll(async () => {
    ({ server, proxy, ada, bo } = await meetThroughProxy(browser()));
    await bo.page.getByRole("button", { name: "Ada", exact: true }).waitFor();
    await ada.page.evaluate(() => window.addEventListener("pageshow", (event) => document.body.setAttribute("data-persisted", String(event.persisted))));
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.remove();
  });

  const leave = () => ada.page.goto("data:text/html,<p>elsewhere");
  const comeBack = async () => {
    await ada.page.goBack({ waitUntil: "commit" });
    await ada.page.locator("body[data-persisted=true]").waitFor();
  };

  it("CON-10 says goodbye when it is left, and connects again when it comes back from the back-forward cache", async () => {
    await leave();
    await expect.poll(() => bo.people.count(), { timeout: 1_000, interval: 10 }).toBe(1);
    await comeBack();
    await connected(ada);
    await expect.poll(() => bo.people.count(), poll).toBe(2);
  });

  it("QUE-2 has what was waiting when it comes back, and sends it once", async () => {
    const { heard, close } = await listenTo(server.port, new URL(bo.page.url()).pathname);
    proxy.refuse();
    proxy.reset();
    await addConcept(ada, "Waiting", 300, 200);
    await expect.poll(() => ada.page.getByTestId("pending-count").textContent(), poll).toMatch(/^2 edits/);
    await leave();
    await comeBack();
    expect(await ada.page.getByTestId("pending-count").textContent()).toMatch(/^2 edits/);

    proxy.resume();
    await connected(ada);
    await bo.concept("Waiting").waitFor();
    await addConcept(ada, "After", 500, 300);
    await bo.concept("After").waitFor();
    expect(heard).toEqual(["concept:create New concept", "concept:update Waiting", "concept:create New concept", "concept:update After"]);
    await expectSameContent(ada, bo);
    await close();
  });
});
