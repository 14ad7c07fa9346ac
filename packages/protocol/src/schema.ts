import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TuttiError } from "./errors.js";

/** A schema of any library that implements Standard Schema 1 (standardschema.dev): zod, valibot, arktype and others. */
// oxlint-disable-next-line no-explicit-any -- a schema of any input and output; `unknown` would refuse every schema with a narrower input
export type AnySchema = StandardSchemaV1<any, any>;

export type InputOf<S> = S extends AnySchema ? StandardSchemaV1.InferInput<S> : never;
export type OutputOf<S> = S extends AnySchema ? StandardSchemaV1.InferOutput<S> : never;

function outputOf<Output>(result: StandardSchemaV1.Result<Output>, root: string): Output {
  if (result.issues === undefined) return result.value;
  const issue = result.issues[0];
  const path = (issue?.path ?? []).map((step) => String(typeof step === "object" ? step.key : step));
  const field = [root, ...path].join(".");
  throw new TuttiError("PAYLOAD_INVALID", { message: `${field}: ${issue?.message ?? "invalid"}`, field });
}

/**
 * What the schema makes of `value`; a promise only where the schema is asynchronous.
 *
 * @param root how the message names the value, for example `payload`
 * @throws TuttiError `PAYLOAD_INVALID` with the first wrong field
 */
export function validate<S extends AnySchema>(schema: S, value: unknown, root = "payload"): OutputOf<S> | Promise<OutputOf<S>> {
  const result: StandardSchemaV1.Result<OutputOf<S>> | Promise<StandardSchemaV1.Result<OutputOf<S>>> = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((settled) => outputOf(settled, root)) : outputOf(result, root);
}
