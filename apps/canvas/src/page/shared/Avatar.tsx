import type { Colour } from "../../palette.js";

/** "Amber Otter" is AO. */
function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words.at(0), words.at(-1)] : [words.at(0)];
  return letters.map((word) => Array.from(word ?? "").at(0) ?? "").join("").toUpperCase();
}

export function Avatar({ name, colour }: { readonly name: string; readonly colour: Colour }) {
  return (
    <span className="avatar" data-colour={colour} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
