export { createClient } from "./client.js";
export type { Client, ClientEvents, Rollback } from "./client-types.js";
export type { ClientNumbers, ClientOptions, Guards } from "./options.js";
export type { Activity, ConnectionInfo, ConnectionStatus } from "./connection.js";
export type {
  Channel,
  ChannelPresence,
  ChannelState,
  PendingPublish,
  ReceivedEvent,
  ReceivedSignal,
  SubscribeOptions,
  UntypedContract,
} from "./channel-types.js";
export type { CallOptions } from "./calls.js";
export type { Envelope } from "./envelope.js";
export type { PendingTotals, PublishResult } from "./outbound-queue.js";
export type { Device, Person, PresenceList, PresenceNotice } from "./presence.js";
export { select } from "./select.js";
export type { ReadonlyStore } from "./store.js";
export { undoHistory, type UndoHistory, type UndoInfo, type UndoOptions } from "./undo.js";
export type { Gap, SubscriptionInfo } from "./subscription.js";
export type { Typing, Typist } from "./typing.js";
export type { Lifecycle, LifecycleEvents } from "./lifecycle.js";
export type { Link, LinkEvents, PassedOver, Transport, TransportInfo } from "./transport.js";
export {
  chooseTransport,
  requirementsOf,
  type TransportChoice,
  type TransportEnvironment,
  type TransportName,
  type TransportRequirements,
  type TransportWarning,
  type TransportWarningCode,
} from "./choose-transport.js";
export { adaptiveTransport, type AdaptiveTransportOptions } from "./transports/adaptive.js";
export type { AdaptiveTransport, TransportMemory, TransportSource } from "./adaptive/adaptive-transport.js";
export type { NetworkWatch } from "./adaptive/adaptive-link.js";
export type { AdaptiveNumbers } from "./adaptive/experience.js";
export type { Attention, AttentionLevel } from "./adaptive/attention.js";
export type { PollIntervals } from "./adaptive/poll-pace.js";
export type { HeldSession, SessionStorage, StorageChange, StoredIdentity, StoredPublish, StoredSession, StoredState } from "./storage.js";
export type { ClientStorage } from "./session-home.js";
export { storedSessions } from "./stored-session.js";
export { makeSessionRecord, type SessionRecord } from "./session-record.js";
export { indexedDbStorage, type IndexedDbStorageOptions } from "./indexed-db-storage.js";
export { memoryStorage, type MemoryStorage, type MemoryStorageOptions } from "./memory-storage.js";
export { browserEnvironment, browserLifecycle, type TabMemory } from "./browser-environment.js";
export type { ByteStream, Fetch, FetchInit, FetchResponse } from "./transports/http/fetch.js";
export { webSocketTransport, type WebSocketLike, type WebSocketTransportOptions } from "./transports/websocket.js";
