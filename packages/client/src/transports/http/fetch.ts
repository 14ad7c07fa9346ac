import { count, optional, record, text } from "@tutti/protocol";

/** The part of `fetch` that is used; the platform's has it. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

export interface FetchInit {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly cache: "no-store";
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** The request outlives the page that makes it. */
  readonly keepalive?: boolean;
}

export interface FetchResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: ByteStream | null;
  text(): Promise<string>;
}

export interface ByteStream {
  getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> };
  cancel(): Promise<void>;
}

/** Why a request did not get what it asked for. */
export interface Refusal {
  readonly kind: "refused";
  /** Of the server's registry; `undefined` where it was not the server that said no. */
  readonly code: string | undefined;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
  /** The same request may get it a moment later. */
  readonly isPassing: boolean;
}

/** What became of a request. */
export type Asked = { readonly kind: "answered"; readonly response: FetchResponse } | Refusal;

const PASSING: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

const problem = record({ code: text(64, 1), detail: optional(text(1_024)), retryAfterMs: optional(count) });

/** Asks once. Never rejects. */
export async function ask(fetch: Fetch, url: string, init: FetchInit): Promise<Asked> {
  try {
    const response = await fetch(url, init);
    const isAnswered = response.status >= 200 && response.status < 300;
    return isAnswered ? { kind: "answered", response } : await refusalOf(response);
  } catch (cause) {
    return { kind: "refused", code: undefined, message: String(cause), retryAfterMs: undefined, isPassing: true };
  }
}

/** What an answer says in `Retry-After`, where that is a number of seconds. */
export function retryAfterOf({ headers }: FetchResponse): number | undefined {
  const seconds = Number.parseInt(headers.get("Retry-After") ?? "", 10);
  return seconds >= 0 ? 1_000 * seconds : undefined;
}

async function refusalOf(response: FetchResponse): Promise<Refusal> {
  const { status, body } = response;
  const refusal: Refusal = { kind: "refused", code: undefined, message: `HTTP ${status}`, retryAfterMs: retryAfterOf(response), isPassing: PASSING.has(status) };
  if (response.headers.get("Content-Type")?.startsWith("application/problem+json") !== true) {
    // Whoever said this, nobody reads on.
    await body?.cancel();
    return refusal;
  }
  const { code, detail = code, retryAfterMs = refusal.retryAfterMs } = problem.read(JSON.parse(await response.text()), "");
  return { ...refusal, code, message: detail, retryAfterMs };
}
