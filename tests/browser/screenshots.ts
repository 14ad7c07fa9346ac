import { join } from "node:path";
import { createClient, webSocketTransport } from "tutti/client";
import { WebSocket } from "ws";
import { canvasFolder, startCanvas } from "./canvas-process.js";
import { launchChromium } from "./chromium.js";
import { addConcept, connected, drawArrow, makeCanvas, visit, type Visitor } from "./visitor.js";

/*
 * Draws the pictures of `docs/`: people at work on a canvas, and what they see while the server is gone.
 */

const concepts = [
  ["concert", "Autumn concert", -330, 0, "violet"],
  ["programme", "Programme", -80, -150, "blue"],
  ["rehearsals", "Rehearsals", -80, 0, "teal"],
  ["people", "Who comes", -80, 150, "orange"],
  ["newworld", "Dvořák, From the New World", 200, -215, "blue"],
  ["premiere", "A new piece", 200, -125, "pink"],
  ["strings", "Strings, on Tuesdays", 200, -30, "teal"],
  ["tutti", "Tutti, from October on", 200, 55, "green"],
  ["poster", "Poster", 200, 135, "amber"],
  ["tickets", "Tickets at the door", 200, 215, "orange"],
] as const;

const arrows = [
  ["concert", "programme"],
  ["concert", "rehearsals"],
  ["concert", "people"],
  ["programme", "newworld"],
  ["programme", "premiere"],
  ["rehearsals", "strings"],
  ["rehearsals", "tutti"],
  ["people", "poster"],
  ["people", "tickets"],
] as const;

const chat = [
  ["Swift Badger", "green", "Shall we open with the premiere?"],
  ["Quiet Otter", "pink", "Please not first. People are still looking for their seats then."],
  ["Quiet Otter", "pink", "After the interval?"],
  ["Clever Robin", "violet", "After the interval it is. Badger, can you draw that in?"],
] as const;

const picture = (name: string) => join(canvasFolder, `../../docs/${name}.png`);

/** Puts the scene on the canvas at once, as a program may that knows nothing of its page. */
async function fill(port: number, id: string): Promise<void> {
  const client = createClient({ url: `ws://localhost:${port}/v1/connect`, token: "c".repeat(24), transport: webSocketTransport({ WebSocket }) });
  const canvas = client.channel("canvas:{id}", { id });
  await canvas.subscribe();
  await Promise.all([
    ...concepts.map(([concept, text, x, y, colour]) => canvas.publish("concept:create", { id: concept, text, x, y, colour })),
    ...arrows.map(([from, to]) => canvas.publish("arrow:create", { id: `${from}to${to}`, from, to })),
    ...chat.map(([name, colour, text]) => canvas.publish("chat:post", { text, name, colour })),
  ]);
  await client.close();
}

/** Moves in steps, so that the last one is not a jump that the others still glide after. */
async function pointAt({ page }: Visitor, text: string, dx: number, dy: number): Promise<void> {
  const box = await page.getByTestId("concept").filter({ hasText: text }).boundingBox();
  if (box !== null) await page.mouse.move(box.x + box.width / 2 + dx, box.y + box.height / 2 + dy, { steps: 12 });
}

const server = await startCanvas();
const browser = await launchChromium();
try {
  const url = `http://localhost:${server.port}`;
  const ada = await visit(browser, url, { name: "Clever Robin", colour: "violet", width: 1120, height: 700, scale: 2 });
  const path = await makeCanvas(ada, "Autumn concert");
  await fill(server.port, path.replace("/c/", ""));
  await ada.concept("Tickets").waitFor();
  await ada.page.getByRole("button", { name: "Show everything" }).click();

  const bo = await visit(browser, url + path, { name: "Swift Badger", colour: "green", width: 1120, height: 700 });
  const mira = await visit(browser, url + path, { name: "Quiet Otter", colour: "pink", width: 1120, height: 700 });
  await Promise.all([connected(bo), connected(mira)]);
  await bo.concept("Tutti").click();
  await bo.page.getByLabel("Message", { exact: true }).pressSequentially("Of course", { delay: 20 });
  await pointAt(bo, "Tutti", 40, 30);
  await pointAt(mira, "new piece", -150, 28);
  await ada.cursors.nth(1).waitFor();
  await ada.page.getByText("Swift Badger is typing").waitFor();
  await ada.page.waitForTimeout(400);
  await ada.page.screenshot({ path: picture("canvas") });

  await Promise.all([bo.context.close(), mira.context.close()]);
  await server.kill();
  await ada.connection.and(ada.page.locator("[data-status=reconnecting]")).waitFor();
  await addConcept(ada, "Ask the choir", 160, 540);
  await addConcept(ada, "Lights", 130, 170);
  await ada.concept("Poster").click();
  await ada.page.getByRole("button", { name: "red", exact: true }).click();
  await ada.page.keyboard.press("Escape");
  await drawArrow(ada, "Ask the choir", "Who comes");
  await ada.page.mouse.move(40, 400);
  // The pauses grow, and with the third there is time for a picture.
  await ada.connection.getByText(/next try in 3 s/).waitFor();
  await ada.page.screenshot({ path: picture("canvas-offline") });
} finally {
  await browser.close();
  await server.remove();
}
