import type { Channels } from "./channels.js";
import type { Memberships } from "./memberships.js";
import type { Publishers } from "./publishers.js";
import type { Services } from "./services.js";
import type { Sessions } from "./sessions.js";

/** What the connections of one node share. */
export interface NodeState {
  readonly services: Services;
  readonly channels: Channels;
  readonly sessions: Sessions;
  readonly memberships: Memberships;
  readonly publishers: Publishers;
}
