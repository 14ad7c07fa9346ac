import { TuttiError } from "./errors.js";

/**
 * One declaration of what a part of a frame looks like: its type for the compiler, its reader for what arrives, and its description for
 * the hash that pins the wire.
 */
export interface Shape<T> {
  readonly kind: string;
  /** The value as a `T`. @throws TuttiError `FRAME_INVALID` naming `field` */
  read(value: unknown, field: string): T;
}

export interface OptionalShape<T> extends Shape<T> {
  readonly isOptional: true;
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type OneFieldOf<F extends Fields> = { [K in keyof F]: { readonly [Name in K]: ValueOf<F[K]> } }[keyof F];
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends { readonly isOptional: true } ? K : never }[keyof F];

export type ValueOf<S> = S extends Shape<infer T> ? T : never;
export type RecordOf<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: ValueOf<F[K]>;
};

function invalid(field: string, expected: string): never {
  throw new TuttiError("FRAME_INVALID", { message: `${field} is not ${expected}`, field });
}

/** Text of so many UTF-16 code units. */
export function text(charactersMax: number, charactersMin = 0): Shape<string> {
  const range = charactersMin === 0 ? `at most ${charactersMax}` : `${charactersMin} to ${charactersMax}`;
  return {
    kind: `text${charactersMin}-${charactersMax}`,
    read: (value, field) =>
      typeof value === "string" && value.length >= charactersMin && value.length <= charactersMax ? value : invalid(field, `text of ${range} characters`),
  };
}

export const count: Shape<number> = {
  kind: "count",
  read: (value, field) => (Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : invalid(field, "a whole number")),
};

export const flag: Shape<boolean> = {
  kind: "flag",
  read: (value, field) => (typeof value === "boolean" ? value : invalid(field, "true or false")),
};

/** What the application's own schemas look at. */
export const anything: Shape<unknown> = { kind: "anything", read: (value) => value };

export function oneOf<const T extends string>(...values: readonly T[]): Shape<T> {
  return {
    kind: values.join("|"),
    read: (value, field) => (values.includes(value as T) ? (value as T) : invalid(field, `one of ${values.join(", ")}`)),
  };
}

export function list<T>(item: Shape<T>, countMax: number): Shape<readonly T[]> {
  return {
    kind: `[${item.kind}]${countMax}`,
    read: (value, field) => {
      if (!Array.isArray(value) || value.length > countMax) invalid(field, `a list of at most ${countMax}`);
      return (value as readonly unknown[]).map((each, index) => item.read(each, `${field}.${index}`));
    },
  };
}

export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  return { kind: `${shape.kind}?`, isOptional: true, read: (value, field) => shape.read(value, field) };
}

/** An object with these fields. Others are passed over: a newer peer may send more. */
export function record<const F extends Fields>(fields: F): Shape<RecordOf<F>> {
  const entries = Object.entries(fields);
  return {
    kind: `{${entries.map(([name, shape]) => `${name}:${shape.kind}`).join(",")}}`,
    read: (value, field) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) invalid(field === "" ? "frame" : field, "an object");
      const result: Record<string, unknown> = {};
      for (const [name, shape] of entries) {
        const item = (value as Record<string, unknown>)[name];
        if (item === undefined && "isOptional" in shape) continue;
        result[name] = shape.read(item, field === "" ? name : `${field}.${name}`);
      }
      return result as RecordOf<F>;
    },
  };
}

/** An object with exactly one of these fields, which says what it is. Others are passed over. */
export function oneField<const F extends Fields>(fields: F): Shape<OneFieldOf<F>> {
  const entries = Object.entries(fields);
  return {
    kind: `{${entries.map(([name, shape]) => `${name}:${shape.kind}`).join("|")}}`,
    read: (value, field) => {
      const given = entries.filter(([name]) => typeof value === "object" && value !== null && (value as Record<string, unknown>)[name] !== undefined);
      const [first] = given;
      if (first === undefined || given.length > 1) invalid(field, `an object with one of ${entries.map(([name]) => name).join(", ")}`);
      const [name, shape] = first;
      return { [name]: shape.read((value as Record<string, unknown>)[name], `${field}.${name}`) } as OneFieldOf<F>;
    },
  };
}

/** A record that has one of these fields at most: together they contradict each other. */
export function atMostOne<T extends object>(shape: Shape<T>, ...names: readonly (keyof T & string)[]): Shape<T> {
  return {
    kind: `${shape.kind}(${names.join("|")})`,
    read: (value, field) => {
      const read = shape.read(value, field);
      const second = names.filter((name) => read[name] !== undefined)[1];
      if (second !== undefined) invalid(field === "" ? second : `${field}.${second}`, `there together with ${names.filter((name) => name !== second).join(", ")}`);
      return read;
    },
  };
}
