import { jsonCodec, readServerFrame, type ClientFrame, type ServerFrameOf } from "@tutti/protocol";
import type { ConnectionEvents, Packet, Server, ServerTransport } from "@tutti/server";

type Request = Extract<ClientFrame, { op: "subscribe" | "unsubscribe" | "publish" }>;
type Reply = ServerFrameOf<"reply">;

/** Somebody connected to a server in the same process, without a network. */
export class Guest implements ServerTransport {
  readonly name = "memory";
  readonly bufferedBytes = 0;
  readonly #events: ConnectionEvents;
  readonly #waiting = new Map<string, (reply: Reply) => void>();
  #welcomed = (): void => {};

  private constructor(server: Pick<Server, "accept">) {
    this.#events = server.accept(this, { remoteAddress: "memory", origin: undefined, headers: {}, url: "/" });
  }

  static async enter(server: Pick<Server, "accept">, session: string): Promise<Guest> {
    const guest = new Guest(server);
    const welcomed = new Promise<void>((resolve) => {
      guest.#welcomed = resolve;
    });
    guest.#say({ op: "hello", versions: [1], session: session.padEnd(32, "-") });
    await welcomed;
    return guest;
  }

  /** @throws (rejects) Error where it is refused */
  async ask(frame: Request): Promise<void> {
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(frame.correlationId, resolve);
      this.#say(frame);
    });
    if (reply.error !== undefined) throw new Error(`${frame.op}: ${reply.error.code}`);
  }

  leave(): void {
    this.#say({ op: "bye" });
  }

  send(packets: readonly Packet[]): void {
    for (const frame of packets.flatMap(({ data }) => jsonCodec.decode(data)).map((value) => readServerFrame(value))) {
      if (frame.op === "welcome") this.#welcomed();
      if (frame.op !== "reply") continue;
      this.#waiting.get(frame.correlationId)?.(frame);
      this.#waiting.delete(frame.correlationId);
    }
  }

  close(): void {
    this.#events.closed();
  }

  terminate(): void {
    this.#events.closed();
  }

  #say(frame: ClientFrame): void {
    this.#events.message(jsonCodec.encode([frame]));
  }
}
