/* Each by itself, so that a page loads only those that its client uses; together in `limits`. */

/** How deep arrays and objects of a client's frame nest, the frame itself counted. */
export const DEPTH_MAX = 32;
/** The same for a server's frame: it wraps what a client sent into more levels, and carries states that reducers built. */
export const SERVER_DEPTH_MAX = 128;
/** The largest message that a client may send, in bytes. */
export const MESSAGE_BYTES_MAX = 64 * 1024;
/** How long a typing signal lasts after its last repeat. */
export const TYPING_MS = 4_000;

/** Defaults that both ends share. Each is an option of `createServer` or `createClient` where an application may want another. */
export const limits = {
  depthMax: DEPTH_MAX,
  serverDepthMax: SERVER_DEPTH_MAX,
  messageBytesMax: MESSAGE_BYTES_MAX,
  /** How many frames a batch may hold. */
  batchFramesMax: 256,
  /** How often the client pings. */
  heartbeatIntervalMs: 25_000,
  /** How long the client waits for the pong. */
  heartbeatTimeoutMs: 5_000,
  /** After how much silence either side takes the other for dead. */
  silenceMsMax: 35_000,
  typingMs: TYPING_MS,
} as const;
