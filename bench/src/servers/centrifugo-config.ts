/** What a namespace keeps of its channels. */
export interface CentrifugoHistory {
  readonly countMax: number;
  readonly ageSMax: number;
}

/** What the server is configured for. */
export interface CentrifugoSetup {
  readonly port: number;
  /** Of the tokens (HS256). */
  readonly secret: string;
  /** Whether the signatures of tokens are checked; they are read in any case. */
  readonly checksTokens: boolean;
  /** The Redis that it shares with other nodes; in memory unless given. */
  readonly redisUrl?: string;
  /** By the name in front of the colon of a channel; one without history keeps and recovers nothing. */
  readonly namespaces: Readonly<Record<string, { readonly history?: CentrifugoHistory }>>;
}

/** No connection of a load has more channels. */
const CHANNELS_MAX = 100_000;
/** A saturated server is to be slow, not to hang up on who waits for it. */
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;

/** Of events that somebody missed: by itself, who missed more recovers none of them. */
const RECOVERED_MAX = 300;

/**
 * The configuration file of Centrifugo 6: the memory engine, unless nodes share a Redis, and WebSockets without compression, which is how they come. Everything that costs and that
 * nobody here uses is off; limits that would end a load are raised; the pace of writes and pings is what it is unless somebody changes it.
 */
export function centrifugoConfig6({ port, secret, checksTokens, namespaces, redisUrl }: CentrifugoSetup): object {
  return {
    http_server: { address: "127.0.0.1", port },
    log: { level: "error" },
    engine: redisUrl === undefined ? { type: "memory" } : { type: "redis", redis: { address: redisUrl } },
    client: {
      token: { hmac_secret_key: secret },
      insecure_skip_token_signature_verify: !checksTokens,
      ping_interval: "25s",
      channel_limit: CHANNELS_MAX,
      queue_max_size: QUEUE_BYTES_MAX,
      connection_limit: 0,
      user_connection_limit: 0,
      connection_rate_limit: 0,
      recovery_max_publication_limit: recoveredMax(namespaces),
    },
    channel: { namespaces: listOf(namespaces) },
    websocket: { compression: false },
    http_api: { disabled: true },
    usage_stats: { disabled: true },
  };
}

/** The same for Centrifugo 5, which says all but namespaces in one flat list. */
export function centrifugoConfig5({ port, secret, checksTokens, namespaces, redisUrl }: CentrifugoSetup): object {
  return {
    address: "127.0.0.1",
    port,
    log_level: "error",
    ...(redisUrl === undefined ? { engine: "memory" } : { engine: "redis", redis_address: redisUrl }),
    token_hmac_secret_key: secret,
    client_insecure_skip_token_signature_verify: !checksTokens,
    ping_interval: "25s",
    client_channel_limit: CHANNELS_MAX,
    client_queue_max_size: QUEUE_BYTES_MAX,
    client_connection_limit: 0,
    client_user_connection_limit: 0,
    client_connection_rate_limit: 0,
    client_recovery_max_publication_limit: recoveredMax(namespaces),
    namespaces: listOf(namespaces),
    websocket_compression: false,
    api_disable: true,
    usage_stats_disable: true,
  };
}

type Namespaces = CentrifugoSetup["namespaces"];

const recoveredMax = (namespaces: Namespaces): number =>
  Math.max(RECOVERED_MAX, ...Object.values(namespaces).map(({ history }) => history?.countMax ?? 0));

const listOf = (namespaces: Namespaces): readonly object[] =>
  Object.entries(namespaces).map(([name, { history }]) => ({ name, ...optionsOf(history) }));

/** Whoever has a token subscribes and publishes, and nobody asks another server whether they may. */
function optionsOf(history: CentrifugoHistory | undefined): object {
  const open = { allow_subscribe_for_client: true, allow_publish_for_client: true };
  if (history === undefined) return open;
  return { ...open, history_size: history.countMax, history_ttl: `${history.ageSMax}s`, force_recovery: true };
}
