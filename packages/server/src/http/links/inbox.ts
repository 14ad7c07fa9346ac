import { TuttiError } from "@tutti/protocol";
import type { ConnectionEvents } from "../../connections/transport.js";
import type { UplinkMessages } from "../../sessions/forwarding.js";
import { linesOf } from "./messages.js";

/** What the client of one link sends by requests of their own: each is taken once, and in its order, whatever the network repeats. */
export class Inbox {
  #connection: ConnectionEvents | undefined;
  /** The number of the last request that was taken. */
  #taken = 0;

  attach(connection: ConnectionEvents): void {
    this.#connection = connection;
  }

  /** @throws TuttiError `OUT_OF_ORDER` where one is missing before it, or has come after it; `LIMIT_EXCEEDED` */
  take({ number, text }: UplinkMessages): void {
    this.#connection?.alive();
    // Its answer was lost on the way.
    if (number === this.#taken) return;
    if (number !== this.#taken + 1) throw new TuttiError("OUT_OF_ORDER", { message: `${this.#taken + 1} is next, not ${number}` });
    const messages = linesOf(text);
    this.#taken = number;
    for (const message of messages) this.#connection?.message(message);
  }
}
