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
  /** By the name in front of the colon of a channel; one without history keeps and recovers nothing. */
  readonly namespaces: Readonly<Record<string, { readonly history?: CentrifugoHistory }>>;
}

/** No connection of a load has more channels. */
const CHANNELS_MAX = 100_000;
/** A saturated server is to be slow, not to hang up on who waits for it. */
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The configuration file of Centrifugo 6: the memory engine and WebSockets without compression, which is how they come. Everything that costs and that
 * nobody here uses is off; limits that would end a load are raised; the pace of writes and pings is what it is unless somebody changes it.
 */
export function centrifugoConfig({ port, secret, checksTokens, namespaces }: CentrifugoSetup): object {
  const countsMax = Object.values(namespaces).map(({ history }) => history?.countMax ?? 0);
  return {
    http_server: { address: "127.0.0.1", port },
    log: { level: "error" },
    engine: { type: "memory" },
    client: {
      token: { hmac_secret_key: secret },
      insecure_skip_token_signature_verify: !checksTokens,
      ping_interval: "25s",
      channel_limit: CHANNELS_MAX,
      queue_max_size: QUEUE_BYTES_MAX,
      connection_limit: 0,
      user_connection_limit: 0,
      connection_rate_limit: 0,
      // Otherwise whoever missed more than 300 events recovers none of them.
      recovery_max_publication_limit: Math.max(300, ...countsMax),
    },
    channel: { namespaces: Object.entries(namespaces).map(([name, { history }]) => ({ name, ...optionsOf(history) })) },
    websocket: { compression: false },
    http_api: { disabled: true },
    usage_stats: { disabled: true },
  };
}

/** Whoever has a token subscribes and publishes, and nobody asks another server whether they may. */
function optionsOf(history: CentrifugoHistory | undefined): object {
  const open = { allow_subscribe_for_client: true, allow_publish_for_client: true };
  if (history === undefined) return open;
  return { ...open, history_size: history.countMax, history_ttl: `${history.ageSMax}s`, force_recovery: true };
}
