import type { HttpAnswer, HttpExchange, HttpHeaders, HttpRequest } from "./exchange.js";

/** The pages that may connect, as browsers name them in `Origin`; without it those of the same host. */
export type Origins = readonly string[] | "any";

/** What a page may send, beyond what every page may. */
const REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Tutti-Session, Tutti-Number";
/** What a page may read, beyond what every page may. */
const RESPONSE_HEADERS = "ETag, Link, Retry-After, Location";
/** For how long a browser need not ask again. */
const PREFLIGHT_AGE_S = 600;

/** Which pages may ask, and what their browsers are told of it (CORS). */
export class CrossOrigin {
  readonly #origins: Origins | undefined;

  constructor(origins: Origins | undefined) {
    this.#origins = origins;
  }

  /** Whether the page that asks is let in; its browser is told so with whatever is answered. */
  admit({ headers }: HttpRequest, exchange: HttpExchange): boolean {
    const { origin } = headers;
    if (origin === undefined) return true;
    if (!isAllowedOrigin(headers, this.#origins)) return false;
    exchange.setHeader("Access-Control-Allow-Origin", this.#origins === "any" ? "*" : String(origin));
    exchange.setHeader("Access-Control-Expose-Headers", RESPONSE_HEADERS);
    // A page that is not named gets nothing by a cookie.
    if (this.#origins !== "any") exchange.setHeader("Access-Control-Allow-Credentials", "true");
    return true;
  }

  /** Answers a browser that asks what a page may do; the page was let in. */
  preflight({ headers }: HttpRequest, methods: readonly string[]): HttpAnswer {
    const allow = methods.join(", ");
    if (headers["access-control-request-method"] === undefined) return { status: 204, headers: { Allow: allow } };
    return {
      status: 204,
      headers: {
        Allow: allow,
        "Access-Control-Allow-Methods": allow,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": String(PREFLIGHT_AGE_S),
      },
    };
  }

  /**
   * Whether a cookie counts: a browser sends it along with whatever any page asks for. A page of this host, or one that is named, asks by itself; an older
   * browser does not say who asks, and then `SameSite` has to do.
   */
  trustsCookie({ headers }: Pick<HttpRequest, "headers">): boolean {
    if (headers["origin"] !== undefined) return isAllowedOrigin(headers, this.#origins === "any" ? undefined : this.#origins);
    const site = headers["sec-fetch-site"];
    return site === undefined || site === "same-origin" || site === "none";
  }
}

/** Origins are compared exactly; without a list, a page of the host that the request was sent to is always of the same site. */
export function isAllowedOrigin({ origin, host }: HttpHeaders, origins: Origins | undefined): boolean {
  if (typeof origin !== "string") return origin === undefined;
  if (origins === "any") return true;
  if (origins !== undefined) return origins.includes(origin);
  return origin === `http://${String(host)}` || origin === `https://${String(host)}`;
}
