import type { Channels } from "./channels/channels.js";
import type { Commands } from "./commands/commands.js";
import type { Connection } from "./connections/connection.js";
import type { Readers } from "./http/readers.js";
import type { HelloGate } from "./lifecycle/hello-gate.js";
import type { ReadinessWatch } from "./lifecycle/readiness.js";
import type { Authenticator } from "./policy/admission.js";
import type { Publishers } from "./publishing/publishers.js";
import type { Services } from "./services.js";
import type { Forwarder } from "./sessions/forwarding.js";
import type { SessionClaims } from "./sessions/session-claims.js";
import type { Sessions } from "./sessions/sessions.js";

/** What the connections of one node share. */
export interface NodeState {
  readonly services: Services;
  readonly authenticator: Authenticator;
  /** All of them, from the first byte to the end; each takes itself out. */
  readonly connections: Set<Connection>;
  /** Where hellos wait for their turn. */
  readonly hellos: HelloGate;
  readonly readiness: ReadinessWatch;
  readonly channels: Channels;
  readonly sessions: Sessions;
  /** Who waits for events, or streams them, over HTTP. */
  readonly readers: Readers;
  /** Which sessions have opened at which node last. */
  readonly claims: SessionClaims;
  /** Brings what comes with a session token to the connection that it names. */
  readonly forwarder: Forwarder;
  /** What the application does to people, here and at other nodes. */
  readonly commands: Commands;
  readonly publishers: Publishers;
}
