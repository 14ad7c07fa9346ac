import { namespaceOf, type AnySchema, type Contract, type Environment, type TuttiError } from "@tutti/protocol";
import type { Envelope } from "./envelope.js";
import type { Report } from "./emitter.js";
import type { ClientConfig } from "./options.js";
import type { OutgoingFrame, Requests } from "./requests.js";
import type { Session } from "./session.js";

/*
 * The parts of the client are closures and not classes: a minifier shortens the names in a closure, and a page has to load all of this.
 */

/** What the parts of a client share. */
export interface Core {
  /** Without it nothing is checked. */
  readonly contract: Contract | undefined;
  readonly environment: Environment;
  readonly config: ClientConfig;
  readonly session: Session;
  readonly requests: Requests;
  /** Counts what waits in all channels. */
  readonly weigh: (count: number, bytes: number) => void;
  /** Whether there is no room for so many publishes of this size. */
  readonly isFull: (count: number, bytes: number) => boolean;
  /** Whether the server has said welcome, and the link is up. */
  readonly isUp: () => boolean;
  /** Sends what is not answered; nothing, where there is no connection. @throws TuttiError `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `PAYLOAD_INVALID` */
  readonly send: (frame: OutgoingFrame) => void;
  /** Surfaces what a listener of the application threw. */
  readonly report: Report;
  /** Surfaces what no promise tells. */
  readonly error: (error: TuttiError, channel?: string) => void;
  /** Tells those who listen to everything. */
  readonly tell: (type: string, about: Partial<Omit<Envelope, "type">>) => void;
}

/** Goes on with what the contract makes of a value, in this turn where it can be. @throws TuttiError `PAYLOAD_INVALID` */
export function checked<T>({ contract }: Core, schema: AnySchema | undefined, value: unknown, next: (output: unknown) => T | Promise<T>): T | Promise<T> {
  const output = schema && contract ? contract.validate(schema, value) : value;
  return output instanceof Promise ? output.then(next) : next(output);
}

/** Tells how a request of this type ended: as its result, or as an error of what it is about. */
export function tellResult(core: Core, type: string, about: Partial<Omit<Envelope, "type">>): void {
  core.tell(about.error === undefined ? `${type}:result` : `error:${namespaceOf(type)}`, about);
}
