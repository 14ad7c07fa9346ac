import { PROTOCOL_VERSION, type AnySchema, type ChannelDefinition, type Contract } from "@tutti/protocol";
import { PROBLEM_TYPE } from "./problem.js";
import type { Route } from "./router.js";

type Json = Readonly<Record<string, unknown>>;

const UNTYPED: Readonly<Record<string, ChannelDefinition>> = { "{channel}": {} };
const JSON_SCHEMA = { target: "draft-2020-12" };
const position = { type: "string", description: "Opaque; goes into the next `since`." };
const ref = (name: string): Json => ({ $ref: `#/components/${name}` });
const json = (schema: Json): Json => ({ "application/json": { schema } });
const answered = (description: string, content: Json): Json => ({ description, content });
const fails = { default: ref("responses/Problem") };
const secured = [{ bearer: [] }, { ticket: [] }, {}];

/** A description of a server's channels in OpenAPI 3.1, with their types as far as the contract's schemas can describe themselves. @param path what all paths begin with */
function openApiOf(contract: Contract | undefined, path: string): Json {
  const channels = Object.entries(contract?.definition.channels ?? UNTYPED);
  const paths = channels.flatMap(([pattern, definition]) => pathsOf(`${path}/channels/${pattern}`, pattern, definition));
  return {
    openapi: "3.1.0",
    info: { title: "Channels over HTTP", version: String(PROTOCOL_VERSION) },
    paths: { ...Object.fromEntries(paths), [`${path}/tickets`]: ticketPath },
    components,
  };
}

/** Where the description is found. It is made when somebody asks for it first. */
export function openApiRoute(contract: Contract | undefined, path: string): Route {
  let text: string | undefined;
  const headers = { "Content-Type": "application/json", "Cache-Control": "max-age=300" };
  return {
    path: `${path}/openapi.json`,
    handlers: { GET: (_request, exchange) => exchange.answer({ status: 200, headers, body: (text ??= JSON.stringify(openApiOf(contract, path))) }) },
  };
}

function pathsOf(path: string, pattern: string, definition: ChannelDefinition): readonly (readonly [string, Json])[] {
  const parameters = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const events: Json = { parameters, get: readOperation(pattern, definition), post: publishOperation(pattern, definition) };
  const presence: Json = { parameters, get: presenceOperation(pattern, definition) };
  const both = [[`${path}/events`, events], [`${path}/presence`, presence]] as const;
  return definition.state === undefined ? both : [...both, [`${path}/state`, { parameters, get: stateOperation(pattern) }]];
}

function readOperation(pattern: string, definition: ChannelDefinition): Json {
  const event = { allOf: [ref("schemas/Event"), { oneOf: typesOf(definition) }] };
  const page = { type: "object", required: ["position", "events"], properties: { position, gap: ref("schemas/Gap"), snapshot: ref("schemas/Snapshot"), events: { type: "array", items: event } } };
  const stream = { schema: { type: "string" } };
  return {
    summary: `Read the events of ${pattern}: a page, a page that is waited for, or a stream`,
    security: secured,
    parameters: ["Since", "Rewind", "Limit", "Wait", "LastEventId", "IfNoneMatch"].map((name) => ref(`parameters/${name}`)),
    responses: {
      200: answered("A page of events, or a stream of them", { ...json(page), "text/event-stream": stream, "application/x-ndjson": stream }),
      304: { description: "Nothing is new" },
      ...fails,
    },
  };
}

function publishOperation(pattern: string, definition: ChannelDefinition): Json {
  const publish = { oneOf: typesOf(definition) };
  const results = { type: "object", required: ["results"], properties: { results: { type: "array", items: ref("schemas/Published") } } };
  return {
    summary: `Publish an event to ${pattern}, or many`,
    security: secured,
    parameters: [ref("parameters/IdempotencyKey")],
    requestBody: { required: true, content: json({ oneOf: [publish, { type: "array", minItems: 1, maxItems: 256, items: publish }] }) },
    responses: { 200: answered("What became of it, or of each", json({ oneOf: [ref("schemas/Published"), results] })), ...fails },
  };
}

function stateOperation(pattern: string): Json {
  const state = { type: "object", required: ["position", "version", "state"], properties: { position, version: { type: "integer" }, state: {} } };
  return {
    summary: `The state of ${pattern}`,
    security: secured,
    parameters: [ref("parameters/IfNoneMatch")],
    responses: { 200: answered("The state, and its position", json(state)), 304: { description: "Nothing is new" }, ...fails },
  };
}

function presenceOperation(pattern: string, { presence }: ChannelDefinition): Json {
  const member = {
    type: "object",
    required: ["session", "activity", "since"],
    properties: { session: { type: "string" }, user: { type: "string" }, state: describe(presence), activity: { enum: ["active", "idle"] }, away: { type: "boolean" }, since: { type: "integer" } },
  };
  const members = { type: "object", required: ["members", "complete"], properties: { members: { type: "array", items: member }, complete: { type: "boolean" } } };
  return { summary: `Who is in ${pattern}`, security: secured, responses: { 200: answered("The members", json(members)), ...fails } };
}

/** A type and its payload, for each that the channel has. */
function typesOf({ events }: ChannelDefinition): readonly Json[] {
  if (events === undefined) return [{ type: "object", required: ["type"], properties: { type: { type: "string" }, payload: {} } }];
  return Object.entries(events).map(([type, schema]) => ({ type: "object", required: ["type", "payload"], properties: { type: { const: type }, payload: describe(schema) } }));
}

/** What the schema says of itself (Standard JSON Schema), or anything where it does not. */
function describe(schema: AnySchema | undefined): Json {
  const standard: object = schema?.["~standard"] ?? {};
  if (!("jsonSchema" in standard)) return {};
  const { jsonSchema } = standard as { readonly jsonSchema: { readonly input: (options: object) => Json } };
  try {
    const { $schema: _dialect, ...described } = jsonSchema.input(JSON_SCHEMA);
    return described;
  } catch {
    // Not every schema can be described: a transformation, say.
    return {};
  }
}

const ticketPath: Json = {
  post: {
    summary: "Put the token into a cookie, for a page's own EventSource",
    security: [{ bearer: [] }],
    responses: { 200: answered("The cookie is set", json({ type: "object", properties: { expiresMs: { type: "integer" } } })), ...fails },
  },
  delete: { summary: "Take the cookie away", responses: { 204: { description: "It is gone" } } },
};

const parameter = (name: string, place: "query" | "header", description: string, schema: Json = { type: "string" }): Json => ({ name, in: place, description, schema });

const components: Json = {
  securitySchemes: { bearer: { type: "http", scheme: "bearer" }, ticket: { type: "apiKey", in: "cookie", name: "tutti-ticket" } },
  parameters: {
    Since: parameter("since", "query", "The position that was seen last"),
    Rewind: parameter("rewind", "query", "How far behind the head to begin: so many events, or 30s, 5m, 2h"),
    Limit: parameter("limit", "query", "How many events at most", { type: "integer", minimum: 1, maximum: 1_024 }),
    Wait: parameter("wait", "query", "How many seconds to wait where there is nothing", { type: "integer", minimum: 0 }),
    LastEventId: parameter("Last-Event-ID", "header", "The position that was seen last; goes before since"),
    IfNoneMatch: parameter("If-None-Match", "header", "The ETag of what is known"),
    IdempotencyKey: parameter("Idempotency-Key", "header", "Makes a repeat harmless"),
  },
  schemas: {
    Event: {
      type: "object",
      required: ["position", "eventId", "type", "timestamp"],
      properties: { position, eventId: { type: "string" }, type: { type: "string" }, timestamp: { type: "integer", description: "Unix ms" }, user: { type: "string" } },
    },
    Gap: { type: "object", required: ["from", "to"], properties: { from: position, to: position }, description: "What came after `from`, up to and including `to`, cannot be had." },
    Snapshot: { type: "object", required: ["version"], properties: { version: { type: "integer" }, state: {} } },
    Published: { type: "object", required: ["position", "eventId"], properties: { position, eventId: { type: "string" }, repeat: { const: true }, payload: {} } },
    Problem: {
      type: "object",
      required: ["type", "title", "status", "code"],
      properties: { type: { type: "string" }, title: { type: "string" }, status: { type: "integer" }, detail: { type: "string" }, code: { type: "string" }, field: { type: "string" }, retryAfterMs: { type: "integer" } },
    },
  },
  responses: { Problem: answered("A problem, by its code", { [PROBLEM_TYPE]: { schema: ref("schemas/Problem") } }) },
};
