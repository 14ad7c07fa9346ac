import { createClient, webSocketTransport } from "tutti/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startCanvas, type CanvasProcess } from "./canvas-process.js";
import { hasChromium } from "./chromium.js";
import { expectSameContent } from "./same-content.js";
import { meet, suiteBrowser } from "./two-people.js";
import { addConcept, contentOf, makeCanvas, openTab, visit, type Visitor } from "./visitor.js";

describe.skipIf(!hasChromium)("two people on a canvas", () => {
  const browser = suiteBrowser();
  let server: CanvasProcess;
  let ada: Visitor;
  let bo: Visitor;
  const poll = { timeout: 5_000, interval: 20 };

  beforeAll(async () => {
    server = await startCanvas();
    const url = `http://localhost:${server.port}`;
    ({ ada, bo } = await meet(browser(), url, url));
  });

  afterAll(() => server?.remove());

  it("SRV-4 the server says where it is in one line", () => {
    expect(server.lines).toEqual([`Tutti canvas: http://localhost:${server.port}`]);
  });

  it("PUB-1 a concept made in one window appears in the other, and is confirmed in its own", async () => {
    await addConcept(ada, "Melody", 300, 200);
    await bo.concept("Melody").waitFor();
    await expect.poll(() => ada.concept("Melody").getAttribute("data-pending"), poll).toBe("false");
  });

  it("STA-1 moving, renaming, colouring, connecting and deleting look the same in both windows", async () => {
    await addConcept(ada, "Harmony", 620, 320);
    await bo.concept("Harmony").waitFor();

    const from = await ada.concept("Harmony").boundingBox();
    await ada.page.mouse.move(from!.x + 10, from!.y + 10);
    await ada.page.mouse.down();
    await ada.page.mouse.move(from!.x + 60, from!.y + 90, { steps: 5 });
    await ada.page.mouse.up();

    await bo.concept("Melody").dblclick();
    await bo.page.getByLabel("Text of the concept").fill("Counterpoint");
    await bo.page.keyboard.press("Enter");
    await bo.page.getByRole("button", { name: "pink" }).click();
    await ada.concept("Counterpoint").waitFor();

    const start = await ada.concept("Counterpoint").locator(".concept-handle").boundingBox();
    const end = await ada.concept("Harmony").boundingBox();
    await ada.page.mouse.move(start!.x + 6, start!.y + 6);
    await ada.page.mouse.down();
    await ada.page.mouse.move(end!.x + 20, end!.y + 15, { steps: 5 });
    await ada.page.mouse.up();
    await bo.page.getByRole("button", { name: "Arrow from Counterpoint to Harmony" }).waitFor();

    await addConcept(bo, "Noise", 200, 500);
    await ada.concept("Noise").click();
    await ada.page.keyboard.press("Delete");
    await expect.poll(() => bo.concept("Noise").count(), poll).toBe(0);

    await expectSameContent(ada, bo);
    const content = await contentOf(bo);
    expect(content).toHaveLength(3);
    expect(content.filter((line) => line.includes("Counterpoint pink"))).toHaveLength(1);
  });

  it("SIG-1 the other's pointer is seen where it points, with a name, and follows", async () => {
    await ada.page.mouse.move(400, 300);
    const cursor = bo.cursors.filter({ hasText: "Ada" });
    await cursor.waitFor();
    const seenAt = async () => {
      const box = await cursor.boundingBox();
      return { x: Math.round(box?.x ?? 0), y: Math.round(box?.y ?? 0) };
    };
    await expect.poll(seenAt, poll).toEqual({ x: 400, y: 300 });
    await ada.page.mouse.move(560, 410, { steps: 20 });
    await expect.poll(seenAt, poll).toEqual({ x: 560, y: 410 });
  });

  it("SIG-2 a concept that somebody drags moves for the other too, and returns when the drag is given up", async () => {
    const box = await ada.concept("Harmony").boundingBox();
    const seenAt = async () => Math.round((await bo.concept("Harmony").boundingBox())?.x ?? 0);
    await ada.page.mouse.move(box!.x + 20, box!.y + 10);
    await ada.page.mouse.down();
    await ada.page.mouse.move(box!.x + 120, box!.y + 10, { steps: 10 });
    await expect.poll(seenAt, poll).toBe(Math.round(box!.x + 100));
    await ada.page.keyboard.press("Escape");
    await expect.poll(seenAt, poll).toBe(Math.round(box!.x));
    await ada.page.mouse.up();
  });

  it("what a mouse can do, the keys can do too", async () => {
    const harmony = ada.concept("Harmony");
    const before = await harmony.boundingBox();
    await harmony.focus();
    await ada.page.keyboard.press("Escape");
    await ada.page.keyboard.press("ArrowRight");
    await expect.poll(async () => Math.round((await bo.concept("Harmony").boundingBox())?.x ?? 0), poll).toBe(Math.round(before!.x + 10));
    await ada.page.keyboard.press("Enter");
    await ada.page.getByLabel("Text of the concept").fill("Counter-harmony");
    await ada.page.keyboard.press("Escape");
    await ada.page.keyboard.press("Escape");
    expect(await bo.concept("Counter-harmony").count()).toBe(0);

    await ada.concept("Counterpoint").click();
    await ada.page.getByRole("button", { name: "Connect" }).click();
    await ada.page.keyboard.press("Escape");
    expect(await ada.page.getByTestId("board").getAttribute("data-gesture")).toBe("none");
  });

  it("SIG-5 nobody sees a pointer of their own", async () => {
    expect(await ada.cursors.filter({ hasText: "Ada" }).count()).toBe(0);
  });

  it("PRE-5 what the other has selected is marked with their name", async () => {
    await bo.concept("Harmony").click();
    await ada.concept("Harmony").getByTestId("selected-by").filter({ hasText: "Bo" }).waitFor();
    await bo.page.keyboard.press("Escape");
    await expect.poll(() => ada.page.getByTestId("selected-by").count(), poll).toBe(0);
  });

  it("SIG-4 typing is shown while it lasts, and the message arrives", async () => {
    const message = bo.page.getByLabel("Message", { exact: true });
    await message.pressSequentially("Shall we", { delay: 20 });
    await expect.poll(() => ada.page.getByTestId("typing").textContent(), poll).toBe("Bo is typing");
    await expect.poll(() => ada.page.getByTestId("typing").textContent(), { timeout: 8_000, interval: 100 }).toBe("");
    await message.pressSequentially(" begin?");
    await message.press("Enter");
    await ada.page.getByTestId("message").filter({ hasText: "Shall we begin?" }).waitFor();
    await expect.poll(() => ada.page.getByTestId("typing").textContent(), poll).toBe("");
  });

  it("PRE-3 a person with two tabs counts once, and both tabs are known", async () => {
    const second = await openTab(bo.context, bo.page.url(), "Bo");
    await ada.page.getByRole("button", { name: "Bo, on 2 devices" }).waitFor();
    expect(await ada.people.count()).toBe(2);
    await second.page.close();
    await ada.page.getByRole("button", { name: "Bo", exact: true }).waitFor();
  });

  it("PRE-1 a tab that is closed leaves within a second", async () => {
    const cy = await visit(browser(), ada.page.url(), { name: "Cy" });
    await ada.page.getByRole("button", { name: "Cy", exact: true }).waitFor();
    const closedAt = performance.now();
    await cy.page.close({ runBeforeUnload: true });
    await expect.poll(() => ada.people.count(), { timeout: 3_000, interval: 10 }).toBe(2);
    expect(performance.now() - closedAt).toBeLessThan(1_000);
  });

  it("CALL-1 the server tidies up when asked, and everybody sees it", async () => {
    const before = await contentOf(ada);
    await ada.page.getByTestId("board").click({ position: { x: 40, y: 600 } });
    await ada.page.getByRole("button", { name: "Tidy up" }).click();
    await expect.poll(async () => JSON.stringify(await contentOf(bo)) !== JSON.stringify(before), poll).toBe(true);
    await expectSameContent(ada, bo);
  });

  it("PUB-10 a canvas that is renamed has its new name on everybody's list", async () => {
    const reader = await visit(browser(), `http://localhost:${server.port}`, { name: "Di" });
    await reader.page.getByTestId("canvas").filter({ hasText: "Roots" }).waitFor();
    await ada.page.getByRole("button", { name: "Roots" }).click();
    await ada.page.getByLabel("Name of the canvas").fill("Fifths");
    await ada.page.keyboard.press("Enter");
    const item = reader.page.getByTestId("canvas").filter({ hasText: "Fifths" });
    await item.getByText("2 people are here").waitFor();
    await reader.context.close();
  });

  it("STA-4 a concept that the server refuses is taken back, and a sentence says why", async () => {
    const cy = await visit(browser(), `http://localhost:${server.port}`, { name: "Cy" });
    const id = (await makeCanvas(cy, "Crowded")).replace("/c/", "");
    const url = `ws://localhost:${server.port}/v1/connect`;
    const crowd = createClient({ url, token: "b".repeat(24), transport: webSocketTransport({ WebSocket }) });
    const channel = crowd.channel("canvas:{id}", { id });
    await channel.subscribe();
    const concepts = Array.from({ length: 300 }, (_, index) => ({ id: `crowd${index}`, text: `${index}`, x: (index % 20) * 90, y: Math.floor(index / 20) * 60, colour: "teal" }));
    await Promise.all(concepts.map((concept) => channel.publish("concept:create", concept)));
    await crowd.close();
    await expect.poll(() => cy.concepts.count(), poll).toBe(300);

    await cy.page.getByRole("button", { name: "Add concept" }).click();
    await cy.page.getByTestId("toast").filter({ hasText: "The new concept was not saved. This canvas is full: it holds 300 concepts." }).waitFor();
    await expect.poll(() => cy.concepts.count(), poll).toBe(300);
    expect(cy.complaints).toEqual([]);
    await cy.context.close();
  });

  it("SUB-3 a canvas that does not exist leads to the list, with a sentence", async () => {
    const lost = await visit(browser(), `http://localhost:${server.port}/c/nowhere9`, { name: "Lo" });
    await lost.page.getByRole("alert").filter({ hasText: "There is no canvas “nowhere9”" }).waitFor();
    expect(new URL(lost.page.url()).pathname).toBe("/");
    await lost.page.getByTestId("canvas").first().waitFor();
    expect(lost.complaints).toEqual([]);
    await lost.context.close();
  });

  it("CON-1 the connection is told in words", async () => {
    await expect.poll(() => ada.connection.textContent(), poll).toMatch(/^Connected · \d+ ms/);
    expect([...ada.complaints, ...bo.complaints]).toEqual([]);
  });
});
