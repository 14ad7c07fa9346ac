import { closeCodeOf, subprotocolOf, type Environment } from "@tutti/protocol";
import { browserEnvironment } from "../../browser-environment.js";
import type { Link, LinkEvents, Transport } from "../../transport.js";
import { connectionsUrl } from "./endpoint.js";
import { ask, type Asked, type Fetch, type FetchResponse, type Refusal } from "./fetch.js";
import { makeUplink, type Opening } from "./uplink.js";

export interface HttpTransportOptions {
  /** The platform's, unless given. */
  readonly fetch?: Fetch;
  readonly environment?: Pick<Environment, "after" | "elapsed">;
}

/** What brings down what the server says, of one link. */
export interface Downlink {
  /** Reads the answer that opened the link, and what follows it. Resolves, or rejects, when nothing more comes. */
  read(response: FetchResponse): Promise<void>;
  /** Something that was sent has been taken: its answer may be there. */
  taken?(): void;
}

/** A link as its downlink sees it. */
export interface LinkSide {
  readonly environment: Pick<Environment, "after" | "elapsed">;
  /** Aborted when the link ends. */
  readonly signal: AbortSignal;
  /** The server has admitted it. */
  opened(opening: Opening): void;
  message(message: string): void;
  closed(closeCode: number, reason: string): void;
  refused(refusal: Refusal): void;
  /** Asks what there is, once. Never rejects. */
  poll(query: string): Promise<Asked>;
}

/** What the transports over HTTP differ in. */
export interface DownlinkKind {
  readonly name: string;
  /** The media type in which the server's messages come. */
  readonly accept: string;
  /** What the request that opens a link says of it. */
  readonly query: string;
  make(side: LinkSide): Downlink;
}

const CLOSE_ABNORMAL = 1006;
/** How long a client that closes its link waits until its last words have arrived. */
const LAST_WORDS_MS = 5_000;
/** The client's own policies do not know it: to reconnect is what it does about every code that it does not know. */
const CLOSE_SESSION_MOVED = 4104;
/** The link is not there any more, or somebody else asks for it: what is to be done is the same. */
const MOVED: ReadonlySet<string> = new Set(["SESSION_MOVED", "SESSION_REPLACED"]);

/** @throws TypeError where the platform has no `fetch` and none is given */
export function httpTransport(kind: DownlinkKind, { fetch = platformFetch(), environment = browserEnvironment() }: HttpTransportOptions): Transport {
  return { name: kind.name, open: (url, subprotocol, events) => openHttpLink({ kind, fetch, environment, url, subprotocol, events }) };
}

function platformFetch(): Fetch {
  if (typeof globalThis.fetch !== "function") throw new TypeError("no fetch");
  return (url, init) => globalThis.fetch(url, init);
}

interface LinkParts {
  readonly kind: DownlinkKind;
  readonly fetch: Fetch;
  readonly environment: Pick<Environment, "after" | "elapsed">;
  readonly url: string;
  readonly subprotocol: string;
  readonly events: LinkEvents;
}

/** One link: the request that opens it brings the hello up, its answer begins the downlink, and each message after that goes up by itself. */
function openHttpLink({ kind, fetch, environment, url, subprotocol, events }: LinkParts): Link {
  const connections = connectionsUrl(url);
  const over = new AbortController();
  const { signal } = over;
  /** Ends the answer to the opening request, and with it a stream: after the link has ended, so that the server hears the goodbye before it. */
  const opened = new AbortController();
  let token = "";
  let isOpening = false;

  const end = (closeCode: number, reason: string): void => {
    if (signal.aborted) return;
    over.abort();
    opened.abort();
    uplink.stop();
    events.closed(closeCode, reason);
  };
  const leave = async (): Promise<void> => {
    const cancel = environment.after(LAST_WORDS_MS, () => uplink.stop());
    await uplink.finish();
    cancel();
    opened.abort();
  };
  const uplink = makeUplink({ url: `${connections}/messages`, fetch, environment, taken: () => downlink.taken?.(), lost: (refusal) => refused(refusal) });
  const refused = ({ code = "", message }: Refusal): void => end(MOVED.has(code) ? CLOSE_SESSION_MOVED : (closeCodeOf(code) ?? CLOSE_ABNORMAL), message);
  /** Nothing but a frame says what is not to be tried again, or not so soon. */
  const turnedAway = (refusal: Refusal): void => {
    const { message, retryAfterMs, code = retryAfterMs === undefined ? undefined : "UNAVAILABLE" } = refusal;
    if (code !== undefined) events.message(JSON.stringify({ op: "error", error: { code, message, retryAfterMs } }));
    refused(refusal);
  };
  const downlink = kind.make({
    environment,
    signal,
    opened(opening) {
      if (signal.aborted) return;
      ({ token } = opening);
      uplink.open(opening);
    },
    message: (message) => signal.aborted || events.message(message),
    closed: end,
    refused,
    poll: (query) => ask(fetch, `${connections}/messages${query}`, { method: "GET", headers: { Accept: kind.accept, "Tutti-Session": token }, signal, cache: "no-store" }),
  });
  const open = async (hello: string): Promise<void> => {
    const headers = { Accept: kind.accept, "Content-Type": "application/x-ndjson" };
    const asked = await ask(fetch, `${connections}${kind.query}`, { method: "POST", headers, body: hello, signal: opened.signal, cache: "no-store" });
    if (signal.aborted) return;
    if (asked.kind === "refused") return turnedAway(asked);
    // A network that wants its terms accepted first answers for the server.
    if (asked.response.headers.get("Content-Type")?.startsWith(kind.accept) !== true) throw new TypeError(`not ${kind.accept}`);
    await downlink.read(asked.response);
    end(CLOSE_ABNORMAL, "it was cut");
  };

  void Promise.resolve().then(() => {
    if (signal.aborted) return;
    if (subprotocol === subprotocolOf("json")) events.opened();
    else end(closeCodeOf("VERSION_UNSUPPORTED") ?? CLOSE_ABNORMAL, "over HTTP all is JSON");
  });
  return {
    send(data) {
      if (signal.aborted) return;
      if (isOpening) return uplink.send(String(data));
      isOpening = true;
      open(String(data)).catch((cause: unknown) => end(CLOSE_ABNORMAL, String(cause)));
    },
    close() {
      if (signal.aborted) return;
      over.abort();
      void leave();
    },
  };
}
