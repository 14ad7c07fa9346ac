export { createServer, type PublishOptions, type Server, type ServerChannel, type ServerStats, type SignalOptions } from "./server.js";
export { closeOnSignals, type CloseOnSignalsOptions } from "./lifecycle/close-on-signals.js";
export type { DrainOptions } from "./lifecycle/drain.js";
export type { Health, NotReadyReason, Readiness } from "./lifecycle/readiness.js";
export { defaultBounds, type Bounds, type NamespacePolicy, type ServerGuards, type ServerOptions } from "./options.js";
export type {
  Action,
  Authenticate,
  AuthenticateRequest,
  AuthorizeRequest,
  Caller,
  ChannelContext,
  ChannelHandlers,
  GlobalCallHandlers,
  Handlers,
  PayloadContext,
  User,
} from "./handlers.js";
export type { AttachOptions } from "./transports/websocket.js";
export type { Origins } from "./http/cross-origin.js";
export type { HttpAnswer, HttpExchange, HttpHead, HttpHeaders, HttpListener, HttpRequest, HttpService } from "./http/exchange.js";
export type { HealthPaths } from "./http/health.js";
export type { HttpOptions, HttpServiceOptions } from "./http/service.js";
export type { ConnectionMetadata } from "./connections/connection.js";
export type { NodeInfo } from "./bus/nodes.js";
export type { SignalTarget, Target } from "./target.js";
export type { Published } from "./publishing/publisher.js";
export { silentLog, type Log, type LogFields } from "./log.js";
export { consoleLog } from "./console-log.js";
export { nodeEnvironment } from "./node-environment.js";
export { verifiedTokens, type VerifiedTokensOptions } from "./policy/verified-tokens.js";
export { memoryBroker, type MemoryBrokerOptions } from "./broker/memory-broker.js";
export type {
  AppendRequest,
  Broker,
  BrokerHealth,
  EventRun,
  Head,
  IdempotencyKey,
  Keep,
  LoggedEvent,
  NewEvent,
  Outcome,
  Page,
  PublisherCount,
  ReadOptions,
  Retention,
  StoredSnapshot,
} from "./broker/broker.js";
export { Packet } from "./connections/packet.js";
export type { ConnectionEvents, Handshake, HandshakeRequest, ServerTransport } from "./connections/transport.js";
