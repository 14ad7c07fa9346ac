import { TuttiError } from "./errors.js";
import { assertChannelName, isChannelName } from "./names.js";

/** The names in braces of a pattern: `"canvas:{id}"` has `id`. */
type ParamNames<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | ParamNames<Rest> : never;

/** What fills the braces of a pattern. */
export type ParamsOf<Text extends string> = { readonly [Name in ParamNames<Text>]: string };

export interface Pattern {
  readonly text: string;
  /** The pattern with its parameters nameless: what tells whether two patterns name the same channels. */
  readonly shape: string;
  /** How many segments are literal, weighed from the left: the higher goes first. */
  readonly literals: number;
  match(segments: readonly string[]): Readonly<Record<string, string>> | undefined;
}

/** A parameter where it stands in a pattern: all of a segment. */
const PLACEHOLDER = /(^|:)\{([A-Za-z][A-Za-z0-9]*)\}(?=:|$)/g;
const PARAMETER = /^\{([A-Za-z][A-Za-z0-9]*)\}$/;

/** @throws TuttiError `CONTRACT_INVALID` */
export function compilePattern(text: string): Pattern {
  const parts = text.split(":").map((segment) => ({ segment, param: PARAMETER.exec(segment)?.[1] }));
  const names = parts.flatMap(({ param }) => param ?? []);
  const example = parts.map(({ segment, param }) => (param === undefined ? segment : "x")).join(":");
  if (parts[0]?.param !== undefined || !isChannelName(example) || new Set(names).size !== names.length) {
    throw new TuttiError("CONTRACT_INVALID", { message: `"${text}" is not a pattern like "entity:{id}" or "entity:{id}:subgroup"` });
  }
  return {
    text,
    shape: parts.map(({ segment, param }) => (param === undefined ? segment : "{}")).join(":"),
    literals: parts.reduce((weight, { param }) => weight * 2 + (param === undefined ? 1 : 0), 0),
    match(segments) {
      if (segments.length !== parts.length) return undefined;
      const params: Record<string, string> = {};
      for (const [index, { segment, param }] of parts.entries()) {
        const actual = segments[index];
        if (param !== undefined && actual !== undefined) params[param] = actual;
        else if (segment !== actual) return undefined;
      }
      return params;
    },
  };
}

/**
 * The channel's name: the pattern with its parameters filled in.
 *
 * @throws TuttiError `CHANNEL_INVALID` where a parameter is missing or has characters that a name may not have
 */
export function channelName<Text extends string>(pattern: Text, params: ParamsOf<Text>): string {
  const values: Readonly<Record<string, string | undefined>> = params;
  const name = pattern.replace(PLACEHOLDER, (_placeholder, colon: string, param: string) => `${colon}${values[param] ?? ""}`);
  // A parameter fills one segment: "1:2" for an id would name another channel than the pattern means.
  assertChannelName(name, pattern.split(":").length);
  return name;
}
