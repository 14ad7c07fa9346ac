import type { Browser, BrowserContext, Locator, Page } from "playwright-core";

/** Somebody with a browser of their own, as far as the server can tell. */
export interface Visitor {
  readonly name: string;
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the page complained about. */
  readonly complaints: readonly string[];
  readonly concepts: Locator;
  readonly people: Locator;
  readonly cursors: Locator;
  readonly connection: Locator;
  concept(text: string): Locator;
}

interface VisitorOptions {
  readonly name: string;
  readonly colour?: string;
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  /** Pixels of a picture to one of the page. */
  readonly scale?: number;
  /** How much the browser keeps for the page, whose code is not in it then; as much as the disk allows unless given. */
  readonly roomBytes?: number;
}

let visitors = 0;

/** A person who has been here before, so that their name is known. */
export async function visit(browser: Browser, url: string, options: VisitorOptions): Promise<Visitor> {
  const { name, colour = "blue", width = 1280, height = 800, scheme = "light", scale = 1, roomBytes } = options;
  const serviceWorkers = roomBytes === undefined ? "allow" : "block";
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, deviceScaleFactor: scale, serviceWorkers });
  visitors += 1;
  const guest = { token: String(visitors).padStart(24, "a"), name, colour };
  // What takes longer than this does not come.
  context.setDefaultTimeout(8_000);
  await context.addInitScript((stored) => {
    localStorage.setItem("tutti-canvas:guest", localStorage.getItem("tutti-canvas:guest") ?? stored);
  }, JSON.stringify(guest));
  if (roomBytes !== undefined) {
    // Holds for as long as this page is open.
    const devtools = await context.newCDPSession(await context.newPage());
    await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin, quotaSize: roomBytes });
  }
  return openTab(context, url, name);
}

/** Another tab of somebody's browser. */
export async function openTab(context: BrowserContext, url: string, name: string): Promise<Visitor> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  return {
    name,
    context,
    page,
    complaints,
    concepts: page.getByTestId("concept"),
    people: page.getByTestId("person"),
    cursors: page.getByTestId("cursor"),
    connection: page.getByTestId("connection"),
    concept: (text) => page.getByTestId("concept").filter({ hasText: text }),
  };
}

export async function connected({ connection }: Visitor): Promise<void> {
  await connection.and(connection.page().locator("[data-status=connected]")).waitFor();
}

/** Resolves when the page would open without a network. */
export async function pageKept({ page }: Visitor): Promise<void> {
  await page.evaluate(async () => {
    const { serviceWorker } = navigator;
    if (serviceWorker.controller === null) await new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
  });
}

/** Has the page connect now instead of after its pause, as a browser does that finds a network. */
export async function tryNow({ page }: Visitor): Promise<void> {
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
}

/** Makes a canvas from the list, and returns its path. */
export async function makeCanvas({ page }: Visitor, name: string): Promise<string> {
  await page.getByLabel("Name of the new canvas").fill(name);
  await page.getByRole("button", { name: "New canvas" }).click();
  await page.getByText("Double-click anywhere to add a concept").waitFor();
  return new URL(page.url()).pathname;
}

/** Adds a concept by a double click at a place of the board, in pixels from its top left corner. */
export async function addConcept({ page }: Visitor, text: string, x: number, y: number): Promise<void> {
  await page.getByTestId("board").dblclick({ position: { x, y } });
  const editor = page.getByLabel("Text of the concept");
  await editor.fill(text);
  await editor.press("Enter");
}

export async function renameConcept(visitor: Visitor, from: string, to: string): Promise<void> {
  await visitor.concept(from).dblclick();
  const editor = visitor.page.getByLabel("Text of the concept");
  await editor.fill(to);
  await editor.press("Enter");
}

/** Pulls the dot at the side of one concept to another. */
export async function drawArrow(visitor: Visitor, from: string, to: string): Promise<void> {
  const { page } = visitor;
  const card = visitor.concept(from);
  await card.hover();
  const [handle, target] = await Promise.all([card.locator(".concept-handle").boundingBox(), visitor.concept(to).boundingBox()]);
  if (handle === null || target === null) throw new Error(`there is no ${from} or no ${to}`);
  await page.mouse.move(handle.x + handle.width / 2, handle.y + handle.height / 2);
  await page.mouse.down();
  await page.mouse.move(target.x + 20, target.y + 20, { steps: 5 });
  await page.mouse.up();
}

/** What is on the canvas, in an order of its own: the same for everybody who sees the same. */
export async function contentOf({ page }: Visitor): Promise<readonly string[]> {
  const concepts = await page.getByTestId("concept").evaluateAll((cards) =>
    cards.map((card) => `${card.getAttribute("data-id")} ${card.querySelector(".concept-text")?.textContent} ${card.getAttribute("data-colour")} ${card instanceof HTMLElement ? card.style.transform : ""}`),
  );
  const arrows = await page.getByTestId("arrow").evaluateAll((found) => found.map((arrow) => `${arrow.getAttribute("data-id")} ${arrow.getAttribute("aria-label")}`));
  const messages = await page.getByTestId("message").evaluateAll((found) => found.map((message) => message.querySelector(".message-text")?.textContent ?? ""));
  return [...concepts.toSorted(), ...arrows.toSorted(), ...messages];
}
