import { expect } from "vitest";
import { contentOf, type Visitor } from "./visitor.js";

/** Waits until two people see the same, and tells the difference where they never do. */
export async function expectSameContent(one: Visitor, other: Visitor): Promise<void> {
  await expect
    .poll(async () => JSON.stringify(await contentOf(one)) === JSON.stringify(await contentOf(other)), { timeout: 5_000, interval: 50 })
    .toBe(true)
    .catch(() => {});
  expect(await contentOf(one)).toEqual(await contentOf(other));
}
