import type { Environment, TuttiError } from "@tutti/protocol";
import type { Report } from "./emitter.js";
import type { Envelope } from "./envelope.js";
import type { ClientConfig } from "./options.js";
import type { Requests } from "./requests.js";
import type { Session } from "./session.js";

type About = Partial<Omit<Envelope, "type">>;

/** What the parts of a client share. */
export interface Core {
  readonly environment: Environment;
  readonly config: ClientConfig;
  readonly session: Session;
  readonly requests: Requests;
  /** Surfaces what a listener of the application threw. */
  readonly report: Report;
  /** Surfaces what no promise tells. */
  error(error: TuttiError, channel?: string): void;
  /** Tells those who listen to everything. */
  tell(type: string, about: About): void;
  /** The same of how a request of this type ended. */
  result(type: string, about: About): void;
}
