import type { Environment, TuttiError } from "@tutti/protocol";
import type { Report } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import type { ClientConfig } from "./options.js";
import type { Requests } from "./requests.js";
import type { Session } from "./session.js";

/** What the parts of a client share. */
export interface Core {
  readonly environment: Environment;
  readonly config: ClientConfig;
  readonly session: Session;
  readonly requests: Requests;
  /** Surfaces what no promise tells. */
  readonly error: (error: TuttiError, channel?: string) => void;
  /** Tells those who listen to everything. */
  readonly tell: (type: string, payload: unknown, about?: Omit<Envelope, "type" | "payload" | "timestamp"> & { readonly timestamp?: number }) => void;
  /** Surfaces what a listener of the application threw. */
  readonly report: Report;
}
