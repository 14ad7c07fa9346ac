import { RawClient } from "../raw-client.js";
import type { BadServer } from "./bad-server.js";

const channel = "canvas:neighbour";

/** Somebody who minds their own channel while others misbehave. */
export class Neighbour {
  readonly #server: BadServer;
  readonly #client: RawClient;
  #published = 0;

  private constructor(server: BadServer, client: RawClient) {
    this.#server = server;
    this.#client = client;
  }

  static async moveIn(server: BadServer, token?: string): Promise<Neighbour> {
    const client = await RawClient.open(server.url);
    client.send({ op: "hello", versions: [1], session: "a-quiet-and-good-neighbour", token });
    await client.next(({ op }) => op === "welcome");
    client.send({ op: "subscribe", correlationId: "s", channel });
    await client.next(({ correlationId }) => correlationId === "s");
    return new Neighbour(server, client);
  }

  /** Publishes another event, and waits until the neighbour has it. */
  async isServed(): Promise<void> {
    const id = String(++this.#published);
    const from = this.#client.frames.length;
    // Who says nothing for 35 s is taken for dead.
    this.#client.send({ op: "ping" });
    await this.#server.server.channel("canvas:{id}", { id: "neighbour" }).publish("concept:create", { id, title: "Sun" });
    await this.#client.next((frame) => frame.op === "events" && JSON.stringify(frame).includes(`"id":"${id}"`), from);
  }

  /** What was heard that should not have been: other frames than the neighbour's own, events twice, missing or in another order, an end. */
  complaints(): string[] {
    const ids = this.#client.frames.flatMap(({ op, events }) => (op === "events" ? (events as { payload: { id: string } }[]).map(({ payload }) => payload.id) : []));
    const expected = Array.from({ length: this.#published }, (_, index) => String(index + 1));
    const strange = this.#client.frames.filter((frame) => !["welcome", "reply", "pong", "events"].includes(frame.op) || (frame["channel"] ?? channel) !== channel);
    return [
      ...strange.map((frame) => JSON.stringify(frame)),
      ...(ids.join() === expected.join() ? [] : [`heard ${ids.join()}`]),
      ...(this.#client.closing === undefined ? [] : [`closed with ${this.#client.closing.code}`]),
    ];
  }

  async moveOut(): Promise<void> {
    await this.#client.close();
  }
}
