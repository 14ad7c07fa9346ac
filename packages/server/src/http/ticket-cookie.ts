import { TuttiError, type Environment } from "@tutti/protocol";
import type { HttpCaller, HttpCallers } from "./callers.js";
import type { CrossOrigin } from "./cross-origin.js";
import type { HttpHeaders, HttpRequest } from "./exchange.js";
import { freshAnswer } from "./json-answer.js";
import { lineOf } from "./records.js";
import type { Route } from "./router.js";
import type { Tickets } from "./tickets.js";

const COOKIE = "tutti-ticket";

interface TicketCookieParts {
  readonly environment: Environment;
  readonly tickets: Tickets;
  readonly crossOrigin: CrossOrigin;
  /** What all paths begin with. */
  readonly path: string;
}

/** The cookie by which a page is authenticated where it cannot send a header: by its own `EventSource`. */
export class TicketCookie {
  readonly #parts: TicketCookieParts;

  constructor(parts: TicketCookieParts) {
    this.#parts = parts;
  }

  /** The token that a request's cookie brings, where a cookie counts. @throws TuttiError `TOKEN_INVALID`, `TOKEN_EXPIRED` */
  readonly tokenOf = (request: HttpRequest): string | undefined => {
    const ticket = cookieOf(request.headers);
    return ticket !== undefined && this.#parts.crossOrigin.trustsCookie(request) ? this.#parts.tickets.tokenOf(ticket) : undefined;
  };

  routes(callers: HttpCallers): readonly Route[] {
    return [
      {
        path: `${this.#parts.path}/tickets`,
        handlers: {
          POST: async (request, exchange) => {
            const caller = await callers.callerOf(request);
            const token = callers.tokenOf(request);
            if (token === undefined) throw new TuttiError("AUTHENTICATION_REQUIRED", { message: "there is no token to keep" });
            const ageMs = this.#ageMsOf(caller);
            exchange.setHeader("Set-Cookie", this.#cookie(this.#parts.tickets.issue(token), Math.floor(ageMs / 1_000), request.headers));
            exchange.answer(freshAnswer(lineOf({ expiresMs: ageMs })));
          },
          DELETE: (request, exchange) => {
            exchange.setHeader("Set-Cookie", this.#cookie("", 0, request.headers));
            exchange.answer({ status: 204, headers: { "Cache-Control": "no-store" } });
          },
        },
      },
    ];
  }

  /** No ticket is good for longer than its token. */
  #ageMsOf({ expiresAt }: HttpCaller): number {
    const { environment, tickets } = this.#parts;
    return Math.max(0, Math.floor(Math.min(tickets.ageMsMax, expiresAt - environment.elapsed())));
  }

  /** For nothing but the channels, and for no script. A page of plain HTTP would not get one that is for TLS alone. */
  #cookie(value: string, ageS: number, { origin }: HttpHeaders): string {
    const isPlain = typeof origin === "string" && origin.startsWith("http://");
    return `${COOKIE}=${value}; Path=${this.#parts.path}/channels; Max-Age=${ageS}; HttpOnly; SameSite=Strict${isPlain ? "" : "; Secure"}`;
  }
}

function cookieOf({ cookie }: HttpHeaders): string | undefined {
  if (typeof cookie !== "string") return undefined;
  for (const pair of cookie.split(";")) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === COOKIE && value !== undefined && value !== "") return value;
  }
  return undefined;
}
