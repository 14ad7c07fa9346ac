import * as z from "zod";
import { randomId } from "../canvas-id.js";
import { palette, type Colour } from "../palette.js";
import { createStore, useStore } from "./shared/store.js";

const guestSchema = z.object({
  /** What the page shows the server to be the same person again. It stays between the two of them. */
  token: z.string().regex(/^[a-z0-9]{24}$/),
  name: z.string().trim().min(1).max(40),
  colour: z.enum(palette),
});

/** Who works in this browser. */
export type Guest = z.infer<typeof guestSchema>;

const storageKey = "tutti-canvas:guest";
const adjectives = ["Amber", "Bold", "Calm", "Clever", "Gentle", "Golden", "Lively", "Merry", "Nimble", "Quiet", "Swift", "Warm"] as const;
const animals = ["Badger", "Crane", "Dolphin", "Finch", "Fox", "Heron", "Lynx", "Marten", "Otter", "Owl", "Robin", "Wren"] as const;

function oneOf<Item>(items: readonly [Item, ...Item[]]): Item {
  return items[Math.floor(Math.random() * items.length)] ?? items[0];
}

function newGuest(): Guest {
  return { token: randomId(24), name: `${oneOf(adjectives)} ${oneOf(animals)}`, colour: oneOf(palette) };
}

/** What this browser remembers; nothing where it remembers nothing usable, or may not. */
function load(): Guest | undefined {
  try {
    return guestSchema.parse(JSON.parse(localStorage.getItem(storageKey) ?? "null"));
  } catch {
    return undefined;
  }
}

function save(changed: Guest): void {
  guest.set(changed);
  try {
    localStorage.setItem(storageKey, JSON.stringify(changed));
  } catch {
    // A browser that keeps nothing makes a new guest of the same person next time.
  }
}

export const guest = createStore(load() ?? newGuest());
save(guest.getSnapshot());

// Another tab of this browser is the same person, so a new name there is a new name here, and another guest another page.
window.addEventListener("storage", (event) => {
  if (event.key !== storageKey) return;
  const other = load() ?? guest.getSnapshot();
  if (other.token === guest.getSnapshot().token) guest.set(other);
  else location.reload();
});

/** Takes another name or colour; a name of nothing but spaces is not taken. */
export function updateGuest(change: { readonly name?: string; readonly colour?: Colour }): void {
  const changed = guestSchema.safeParse({ ...guest.getSnapshot(), ...change });
  if (changed.success) save(changed.data);
}

/** Leaves this guest behind, with what was not saved, and starts over as somebody whom the server has never seen. */
export function becomeNewGuest(): void {
  save(newGuest());
  location.reload();
}

export function useGuest(): Guest {
  return useStore(guest);
}
