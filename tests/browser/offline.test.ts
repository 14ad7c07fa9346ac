import type { FaultProxy } from "tutti/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CanvasProcess } from "./canvas-process.js";
import { hasChromium } from "./chromium.js";
import { listenTo } from "./listener.js";
import { expectSameContent } from "./same-content.js";
import { closeBoth, meetThroughProxy, suiteBrowser } from "./two-people.js";
import { addConcept, connected, makeCanvas, openTab, pageKept, renameConcept, tryNow, visit, type Visitor } from "./visitor.js";

const poll = { timeout: 10_000, interval: 50 };

/** How many edits are on the disk of this browser: what is shown is there a moment later. */
function keptCount({ page }: Visitor): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open("tutti");
        opening.addEventListener("error", () => reject(opening.error));
        opening.addEventListener("success", () => {
          const counting = opening.result.transaction("publishes").objectStore("publishes").count();
          counting.addEventListener("success", () => resolve(counting.result));
          opening.result.close();
        });
      }),
  );
}

describe.skipIf(!hasChromium)("a page without a network", () => {
  const browser = suiteBrowser();
  let server: CanvasProcess;
  let proxy: FaultProxy;
  /** Reaches the server through the proxy. */
  let ada: Visitor;
  /** Reaches the server directly. */
  let bo: Visitor;
  let path: string;

  beforeEach(async () => {
    ({ server, proxy, ada, bo, path } = await meetThroughProxy(browser(), "Tunnel"));
    await pageKept(ada);
  });
  afterEach(async () => {
    await closeBoth({ ada, bo });
    await proxy?.close();
    await server?.remove();
  });

  const cut = () => {
    proxy.refuse();
    proxy.reset();
  };
  const pendingCount = ({ page }: Visitor) => page.getByTestId("pending-count");

  it("opens after the first visit, at any of its addresses, and is connected once there is a network", async () => {
    cut();
    await ada.page.goto(`http://localhost:${proxy.port}`);
    await ada.page.getByRole("heading", { name: "Think together." }).waitFor();
    await ada.page.goto(`http://localhost:${proxy.port}/c/start2g7`);
    await ada.page.getByTestId("board").waitFor();
    proxy.resume();
    await ada.page.reload();
    await connected(ada);
    expect(ada.complaints).toEqual([]);
  });

  it("QUE-2 STA-13 edits outlive a reload and the tab, arrive once and in order, and merge with what others did", async () => {
    await addConcept(ada, "Entrance", 300, 200);
    await bo.concept("Entrance").waitFor();
    const { heard, close } = await listenTo(server.port, path);

    cut();
    await addConcept(ada, "Darkness", 560, 320);
    await renameConcept(ada, "Entrance", "Portal");
    await expect.poll(() => pendingCount(ada).textContent(), poll).toMatch(/^3 edits/);
    await expect.poll(() => keptCount(ada), poll).toBe(3);
    await ada.page.reload();
    await ada.concept("Darkness").and(ada.page.locator("[data-pending=true]")).waitFor();
    await ada.concept("Portal").waitFor();
    await ada.page.getByTestId("age-note").filter({ hasText: "as it was a moment ago" }).waitFor();
    await addConcept(ada, "Light", 700, 200);
    await expect.poll(() => keptCount(ada), poll).toBe(5);
    await ada.page.close();

    await bo.concept("Entrance").click();
    await bo.page.getByRole("button", { name: "pink" }).click();
    await addConcept(bo, "Elsewhere", 400, 480);
    await expect.poll(() => heard, poll).toHaveLength(3);

    proxy.resume();
    const again = await openTab(ada.context, `http://localhost:${proxy.port}${path}`, "Ada");
    await bo.concept("Light").waitFor();
    await expect.poll(() => pendingCount(again).count(), poll).toBe(0);
    expect(heard.slice(3)).toEqual([
      "concept:create New concept",
      "concept:update Darkness",
      "concept:update Portal",
      "concept:create New concept",
      "concept:update Light",
    ]);
    expect(await bo.concept("Portal").getAttribute("data-colour"), "what each has changed of it").toBe("pink");
    await again.concept("Elsewhere").waitFor();
    await expectSameContent(again, bo);
    expect([...again.complaints, ...bo.complaints]).toEqual([]);
    await close();
  });

  it("QUE-2 STA-13 keeps what was done, and seen, in the turn before a reload", async () => {
    await addConcept(ada, "Seen", 300, 200);
    await bo.concept("Seen").waitFor();
    cut();
    await ada.page.getByTestId("board").dblclick({ position: { x: 500, y: 400 } });
    const editor = ada.page.getByLabel("Text of the concept");
    await editor.fill("Done");
    const loaded = ada.page.waitForEvent("load");
    await editor.evaluate((element) => {
      element.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
      location.reload();
    });
    await loaded;
    await ada.concept("Done").waitFor();
    await ada.concept("Seen").waitFor();
  });

  it("QUE-2 a canvas that is made without a network is there for all, with its name and what is on it", async () => {
    cut();
    await ada.page.getByRole("link", { name: "All canvases" }).click();
    const made = await makeCanvas(ada, "Night train");
    await addConcept(ada, "Sleeping car", 400, 300);
    await ada.page.reload();
    await ada.concept("Sleeping car").waitFor();
    await ada.page.getByRole("button", { name: "Night train" }).waitFor();

    proxy.resume();
    await tryNow(ada);
    await bo.page.getByRole("link", { name: "All canvases" }).click();
    await bo.page.getByTestId("canvas").filter({ hasText: "Night train" }).click();
    await bo.concept("Sleeping car").waitFor();
    expect(new URL(bo.page.url()).pathname).toBe(made);
  });

  it("QUE-3 what a tab that crashed had not sent, another tab of the browser sends", async () => {
    const second = await openTab(ada.context, ada.page.url(), "Ada");
    await connected(second);
    const { heard, close } = await listenTo(server.port, path);
    cut();
    await addConcept(ada, "Left behind", 300, 200);
    await expect.poll(() => keptCount(ada), poll).toBe(2);
    const crashed = ada.page.waitForEvent("crash");
    const devtools = await ada.context.newCDPSession(ada.page);
    void devtools.send("Page.crash").catch(() => {});
    await crashed;

    proxy.resume();
    await tryNow(second);
    // A session is taken up when it was free twice in a row, 3 s apart.
    await bo.concept("Left behind").waitFor({ timeout: 20_000 });
    await second.concept("Left behind").waitFor();
    expect(heard).toEqual(["concept:create New concept", "concept:update Left behind"]);
    await close();
  });

  it("QUE-4 nothing that one guest has left is shown to the next, or sent", async () => {
    cut();
    await addConcept(ada, "Secret", 300, 200);
    await expect.poll(() => keptCount(ada), poll).toBe(2);
    await ada.page.getByRole("button", { name: /^You are Ada/ }).click();
    await ada.page.getByRole("button", { name: "Start over as a new guest" }).click();
    await ada.page.getByRole("button", { name: /^You are (?!Ada)/ }).waitFor();
    await expect.poll(() => keptCount(ada), poll).toBe(0);
    expect(await ada.concepts.count(), "without a connection too").toBe(0);

    proxy.resume();
    await tryNow(ada);
    await connected(ada);
    await addConcept(bo, "Public", 500, 300);
    await ada.concept("Public").waitFor();
    await expectSameContent(ada, bo);
    expect([await ada.concept("Secret").count(), await pendingCount(ada).count()]).toEqual([0, 0]);
  });

  it("QUE-7 what the browser has no room to keep is taken back with a sentence, and what it kept is sent once there is room", async () => {
    const fresh = await visit(browser(), ada.page.url(), { name: "Cy", roomBytes: 2 ** 30 });
    await connected(fresh);
    const used = () => fresh.page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
    await expect.poll(used, poll).toBeGreaterThan(0);
    const cy = await visit(browser(), ada.page.url(), { name: "Cy", roomBytes: (await used()) + 8_000 });
    await fresh.context.close();
    await connected(cy);
    expect(await cy.page.getByTestId("toast").count()).toBe(0);

    cut();
    const refusal = cy.page.getByTestId("toast").filter({ hasText: "Your message was not saved. This browser has no room to keep it." });
    const message = cy.page.getByLabel("Message", { exact: true });
    for (let number = 1; number <= 60 && (await refusal.count()) === 0; number += 1) {
      await message.fill(`${number} `.padEnd(490, "x"));
      await message.press("Enter");
    }
    await refusal.waitFor();

    const devtools = await cy.context.newCDPSession(cy.page);
    await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(cy.page.url()).origin, quotaSize: 2 ** 30 });
    proxy.resume();
    await tryNow(cy);
    await expect.poll(() => pendingCount(cy).count(), poll).toBe(0);
    expect(await cy.page.getByTestId("message").count()).toBeGreaterThan(0);
    await expectSameContent(cy, bo);
    await cy.context.close();
  });

  it("QUE-7 a browser that keeps nothing at all says so, and what is done is sent all the same", async () => {
    const cy = await visit(browser(), ada.page.url(), { name: "Cy", roomBytes: 1 });
    await cy.page.getByTestId("toast").filter({ hasText: "This browser keeps nothing for this page." }).waitFor();
    await connected(cy);
    await addConcept(cy, "Fleeting", 300, 200);
    await bo.concept("Fleeting").waitFor();
    await cy.context.close();
  });
});
