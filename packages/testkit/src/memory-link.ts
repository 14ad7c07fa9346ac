import { jsonCodec, readServerFrame, type ClientFrame, type ServerFrameOf } from "@tutti/protocol";
import type { ConnectionEvents, Packet, Server, ServerTransport } from "@tutti/server";

type Reply = ServerFrameOf<"reply">;
type Request = Extract<ClientFrame, { op: "subscribe" | "unsubscribe" | "publish" }>;

/** A connection to a server in the same process, without a network, and without a client: frames are encoded and decoded, and nothing else. */
export class MemoryLink implements ServerTransport {
  readonly name = "memory";
  readonly remoteAddress = "";
  readonly bufferedBytes = 0;
  readonly #waiting = new Map<string, (reply: Reply) => void>();
  readonly #events: ConnectionEvents;
  #welcomed = (): void => {};

  private constructor(server: Pick<Server, "accept">) {
    this.#events = server.accept(this);
  }

  /** @param session 22 characters at least, and each link its own */
  static async open(server: Pick<Server, "accept">, session: string): Promise<MemoryLink> {
    const link = new MemoryLink(server);
    const welcomed = new Promise<void>((resolve) => {
      link.#welcomed = resolve;
    });
    link.#say({ op: "hello", versions: [1], session });
    await welcomed;
    return link;
  }

  /** @throws (rejects) Error with the code of a refusal */
  request(frame: Request): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(frame.correlationId, ({ data, error }) => {
        if (error === undefined) resolve(data);
        else reject(new Error(`${frame.op}: ${error.code}`));
      });
      this.#say(frame);
    });
  }

  /** Says goodbye. */
  leave(): void {
    this.#say({ op: "bye" });
  }

  send(packets: readonly Packet[]): void {
    for (const { data } of packets) {
      for (const value of jsonCodec.decode(data)) {
        const frame = readServerFrame(value);
        if (frame.op === "welcome") this.#welcomed();
        if (frame.op !== "reply") continue;
        this.#waiting.get(frame.correlationId)?.(frame);
        this.#waiting.delete(frame.correlationId);
      }
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
