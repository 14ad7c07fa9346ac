export type { Cancel, Environment } from "./environment.js";
export { TuttiError, type TuttiErrorOptions, type WireError } from "./errors.js";
export { closeCodeOf, codeOfClose, errorPolicies, isFinal, retryOf, type ErrorPolicy, type RetryPolicy } from "./error-policies.js";
export { errorEntry, errorRegistry, type ErrorCategory, type ErrorCode, type ErrorEntry } from "./error-registry.js";
export { wireErrorOf } from "./wire-error.js";
export { remedies } from "./remedies.js";
export { limits, MESSAGE_BYTES_MAX, SERVER_DEPTH_MAX, TYPING_MS } from "./limits.js";
export { present } from "./present.js";
export { formatPosition, parsePosition, samePosition, type LastSeen, type Position } from "./position.js";
export { assertChannelName, isChannelName, isTypeName, namespaceOf } from "./names.js";
export { channelName, type ParamsOf } from "./pattern.js";
export { readSnapshot, reduceEvent, type Snapshot } from "./state.js";
export { validate, type AnySchema, type InputOf, type OutputOf } from "./schema.js";
export {
  channel,
  defineContract,
  type Calls,
  type CallSchemas,
  type ChannelDefinition,
  type ChannelMatch,
  type Contract,
  type ContractDefinition,
  type DescribedChannel,
  type EventOf,
  type PublishOf,
  type Schemas,
  type StateDefinition,
} from "./contract.js";
export type {
  CallInput,
  CallOutput,
  CallPayload,
  CallResult,
  CallTypeOf,
  ChannelEvent,
  ChannelPublish,
  EventInput,
  EventPayload,
  EventTypeOf,
  GlobalCallInput,
  GlobalCallOutput,
  GlobalCallPayload,
  GlobalCallResult,
  GlobalCallTypeOf,
  PatternOf,
  PresenceInput,
  PresenceState,
  SignalInput,
  SignalPayload,
  SignalTypeOf,
  StateOf,
  UntypedContract,
} from "./contract-types.js";
export { assertSendable, toBase64 } from "./binary.js";
export { jsonCodec, type Codec, type Encoded, type Received } from "./codec.js";
export { correlationIdOf } from "./frame-reader.js";
export { clientShapes, readClientFrame, type ClientFrame, type ClientFrameOf } from "./client-frames.js";
export { publishResult, readServerFrame, serverShapes, subscribeResult, type ServerFrame, type ServerFrameOf } from "./server-frames.js";
export type { Member, PresenceChange, Rewind, SubscriptionStart, WireEvent, WireSignal } from "./common-shapes.js";
export { LIST_MAX, member, wireError, wireSignal } from "./common-shapes.js";
export { anything, count, flag, list, oneField, oneOf, optional, record, text, type OptionalShape, type RecordOf, type Shape, type ValueOf } from "./shape.js";
export { PROTOCOL_VERSION, subprotocolOf } from "./version.js";
