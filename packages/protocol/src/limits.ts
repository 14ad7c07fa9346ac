/** Defaults that both ends share. Each is an option of `createServer` or `createClient` where an application may want another. */
export const limits = {
  /** How deep arrays and objects of a client's frame nest, the frame itself counted. */
  depthMax: 32,
  /** The same for a server's frame: it wraps what a client sent into more levels, and carries states that reducers built. */
  serverDepthMax: 128,
  /** The largest message that a client may send, in bytes. */
  messageBytesMax: 64 * 1024,
  /** How many frames a batch may hold. */
  batchFramesMax: 256,
  /** How often the client pings. */
  heartbeatIntervalMs: 25_000,
  /** How long the client waits for the pong. */
  heartbeatTimeoutMs: 5_000,
  /** After how much silence either side takes the other for dead. */
  silenceMsMax: 35_000,
  /** How long a typing signal lasts after its last repeat. */
  typingMs: 4_000,
} as const;
