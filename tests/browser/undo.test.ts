import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCanvas, type CanvasProcess } from "./canvas-process.js";
import { hasChromium } from "./chromium.js";
import { expectSameContent } from "./same-content.js";
import { meet, suiteBrowser } from "./two-people.js";
import { addConcept, contentOf, drawArrow, type Visitor } from "./visitor.js";

describe.skipIf(!hasChromium)("undoing what one did", () => {
  const browser = suiteBrowser();
  let server: CanvasProcess;
  let ada: Visitor;
  let bo: Visitor;
  const poll = { timeout: 5_000, interval: 20 };

  const undo = () => ada.page.getByRole("button", { name: "Undo" });
  const redo = () => ada.page.getByRole("button", { name: "Redo" });
  const placeOf = async (visitor: Visitor, text: string) => {
    const box = await visitor.concept(text).boundingBox();
    return [Math.round(box?.x ?? 0), Math.round(box?.y ?? 0)];
  };
  const placesOf = async (visitor: Visitor) => [await placeOf(visitor, "Theme"), await placeOf(visitor, "Answer")];

  beforeAll(async () => {
    server = await startCanvas();
    const url = `http://localhost:${server.port}`;
    ({ ada, bo } = await meet(browser(), url, url, "Variations"));
  });
  afterAll(() => server?.remove());

  it("STA-12 takes back one's own drag of two concepts at once, and leaves what the other did", async () => {
    expect([await undo().isDisabled(), await redo().isDisabled()]).toEqual([true, true]);
    await addConcept(ada, "Theme", 300, 200);
    await addConcept(ada, "Answer", 560, 320);
    await bo.concept("Answer").waitFor();
    const before = await placesOf(ada);

    await ada.page.keyboard.press("Escape");
    await ada.concept("Theme").click();
    await ada.concept("Answer").click({ modifiers: ["Shift"] });
    const from = await ada.concept("Answer").boundingBox();
    await ada.page.mouse.move(from!.x + 10, from!.y + 10);
    await ada.page.mouse.down();
    await ada.page.mouse.move(from!.x + 110, from!.y + 60, { steps: 5 });
    await ada.page.mouse.up();
    const after = before.map(([x = 0, y = 0]) => [x + 100, y + 50]);
    await expect.poll(() => placesOf(bo), poll).toEqual(after);

    await bo.concept("Answer").click();
    await bo.page.getByRole("button", { name: "pink" }).click();
    await addConcept(bo, "Interlude", 400, 520);
    await ada.concept("Interlude").waitFor();
    await expect.poll(() => ada.concept("Answer").getAttribute("data-colour"), poll).toBe("pink");

    await ada.page.keyboard.press("Control+z");
    await expect.poll(() => placesOf(ada), poll).toEqual(before);
    await expectSameContent(ada, bo);
    expect(await ada.concept("Answer").getAttribute("data-colour")).toBe("pink");
    expect(await ada.concept("Interlude").count()).toBe(1);

    await ada.page.keyboard.press("Control+Shift+z");
    await expect.poll(() => placesOf(ada), poll).toEqual(after);
    expect(await redo().isDisabled()).toBe(true);
    await expectSameContent(ada, bo);
  });

  it("STA-12 brings a deleted concept back with its arrows, for everybody", async () => {
    await drawArrow(ada, "Theme", "Answer");
    await drawArrow(ada, "Answer", "Interlude");
    await expect.poll(() => bo.page.getByTestId("arrow").count(), poll).toBe(2);
    const before = await contentOf(bo);
    await ada.concept("Answer").click();
    await ada.page.keyboard.press("Delete");
    await expect.poll(() => bo.page.getByTestId("arrow").count(), poll).toBe(0);
    await undo().click();
    await expect.poll(() => contentOf(bo), poll).toEqual(before);
    for (const again of [() => redo().click(), () => ada.page.keyboard.press("Control+y")]) {
      await again();
      await expect.poll(() => bo.page.getByTestId("arrow").count(), poll).toBe(0);
      await ada.page.keyboard.press("Control+z");
      await expect.poll(() => contentOf(bo), poll).toEqual(before);
    }
  });

  it("STA-12 what is undone while a text is written is the writing", async () => {
    const before = await contentOf(bo);
    await ada.concept("Theme").dblclick();
    const editor = ada.page.getByLabel("Text of the concept");
    await editor.pressSequentially("Subject");
    await editor.press("Control+z");
    expect(await editor.inputValue()).not.toBe("Subject");
    await editor.press("Escape");
    await addConcept(bo, "Later", 700, 480);
    await ada.concept("Later").waitFor();
    expect((await contentOf(ada)).filter((line) => !line.includes("Later"))).toEqual(before);
    expect([...ada.complaints, ...bo.complaints]).toEqual([]);
  });
});
