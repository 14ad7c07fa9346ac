import type { HttpHeaders } from "./exchange.js";

interface Range {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
}

const QUALITY = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;
const RANGE = /^([\w!#$&^.+*-]+)\/([\w!#$&^.+*-]+)$/;

/**
 * Of the media types that are offered the one that `Accept` likes best: by quality, then by how exactly it is named, then as they stand. Without `Accept` the
 * first; `undefined` where none is accepted.
 */
export function negotiate<T extends string>({ accept }: HttpHeaders, offered: readonly T[]): T | undefined {
  if (typeof accept !== "string" || accept.trim() === "") return offered[0];
  const ranges = accept.split(",").flatMap(rangeOf);
  let best: { readonly type: T; readonly quality: number; readonly exactness: number } | undefined;
  for (const type of offered) {
    const match = matchOf(ranges, type);
    if (match === undefined || match.quality === 0) continue;
    const isBetter = best === undefined || match.quality > best.quality || (match.quality === best.quality && match.exactness > best.exactness);
    if (isBetter) best = { type, ...match };
  }
  return best?.type;
}

function rangeOf(text: string): readonly Range[] {
  const [name = "", ...params] = text.split(";").map((part) => part.trim());
  const [, type, subtype] = RANGE.exec(name.toLowerCase()) ?? [];
  if (type === undefined || subtype === undefined) return [];
  const quality = params.find((param) => /^q=/i.test(param))?.slice(2) ?? "1";
  return [{ type, subtype, quality: QUALITY.test(quality) ? Number(quality) : 0 }];
}

/** What is said of a media type most exactly. */
function matchOf(ranges: readonly Range[], mediaType: string): { readonly quality: number; readonly exactness: number } | undefined {
  const [type, subtype] = mediaType.split("/");
  let best: { readonly quality: number; readonly exactness: number } | undefined;
  for (const range of ranges) {
    const exactness = exactnessOf(range, type, subtype);
    if (exactness > (best?.exactness ?? 0)) best = { quality: range.quality, exactness };
  }
  return best;
}

/** 3 for the type itself, 2 for all of its kind, 1 for all, 0 for others. */
function exactnessOf(range: Range, type = "", subtype = ""): number {
  if (range.type === "*" && range.subtype === "*") return 1;
  if (range.type !== type) return 0;
  if (range.subtype === "*") return 2;
  return range.subtype === subtype ? 3 : 0;
}
