/** On white: legible as a line and as a word. */
const accent = "#0969da";

/** By the first word of a contender's name; the product, and what is a part of it, has the accent. */
const known: Readonly<Record<string, string>> = {
  tutti: accent,
  server: accent,
  ws: "#57606a",
  "socket.io": "#cf222e",
  centrifugo: "#b45309",
  lmdb: "#57606a",
  log: "#57606a",
  broker: "#1a7f37",
};

/** For those that are sizes of one thing, from small to large. */
const others = ["#6ea8e6", accent, "#0a3069", "#8250df", "#1a7f37", "#b45309"];

export interface Stroke {
  readonly colour: string;
  /** For what is filled: a variant is paler. */
  readonly fill: string;
  /** How it differs from others of the same colour. */
  readonly dash: "solid" | "dashed" | "dotted";
}

const dashes = ["solid", "dashed", "dotted"] as const;

/** A variant of a contender has a word more: `ws-turn`, `lmdb, overlapping`. */
const familyOf = (contender: string): string => contender.split(/[-,]/)[0] ?? contender;

/** The product as people get it, and no variant of it. */
export const isProduct = (contender: string): boolean => known[contender] === accent;

/** @param share how much of the colour is left; the rest is white */
function paler(colour: string, share: number): string {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return `#${parts.map((part) => Math.round(255 - (255 - part) * share).toString(16).padStart(2, "0")).join("")}`;
}

/** A contender looks the same in every chart of a scenario, whoever is missing; one that scenarios share, in all of them. */
export function strokeOf(contender: string, contenders: readonly string[]): Stroke {
  const family = familyOf(contender);
  const variants = contenders.filter((each) => each !== family && familyOf(each) === family);
  const variant = variants.indexOf(contender) + 1;
  const strangers = [...new Set(contenders.map(familyOf))].filter((each) => known[each] === undefined);
  const colour = known[family] ?? others[strangers.indexOf(family) % others.length] ?? accent;
  return { colour, fill: paler(colour, 1 / (1 + variant * 0.8)), dash: dashes[variant % dashes.length] ?? "solid" };
}
