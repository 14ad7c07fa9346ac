import { jsonCodec, limits, readServerFrame, subscribeResult, type Position, type ServerFrame } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import type { ConnectionEvents, Packet, ServerTransport } from "@tutti/server";
import { show } from "./violation.js";

/** Hears what was wrong on a wire. */
export type Complain = (what: string) => void;

/**
 * Reads along with one connection, in the order in which its server writes: what comes of a channel comes between its start and its end, and
 * each event follows the one before it. A client would mend most of what is wrong there, and nobody would see that it had to.
 */
export class WireWatch {
  readonly #name: string;
  readonly #complain: Complain;
  /** Where each channel stands that has started. */
  readonly #positions = new Map<string, Position>();
  /** Requests by their ids, until they are answered. */
  readonly #requests = new Map<string, { readonly op: "subscribe" | "unsubscribe"; readonly channel: string }>();
  /** The latest of them for each channel. */
  readonly #latest = new Map<string, string>();

  constructor(name: string, complain: Complain) {
    this.#name = name;
    this.#complain = complain;
  }

  /** The transport, with the watch on what is sent. */
  transport(inner: ServerTransport): ServerTransport {
    const { codec = jsonCodec } = inner;
    const read = (packets: readonly Packet[]): void => {
      for (const { data } of packets) for (const value of codec.decode(data, limits.serverDepthMax)) this.#readServer(readServerFrame(value));
    };
    return {
      name: inner.name,
      codec,
      remoteAddress: inner.remoteAddress,
      get bufferedBytes() {
        return inner.bufferedBytes;
      },
      send: (packets) => {
        read(packets);
        inner.send(packets);
      },
      close: (closeCode, reason) => inner.close(closeCode, reason),
      terminate: () => inner.terminate(),
    };
  }

  /** The connection, with the watch on what it is asked. It speaks JSON, which the other codec reads as well, or that one. */
  events(inner: ConnectionEvents): ConnectionEvents {
    return {
      message: (data) => {
        for (const value of msgpackCodec.decode(data)) this.#readClient(value);
        inner.message(data);
      },
      alive: () => inner.alive(),
      drained: () => inner.drained(),
      closed: () => inner.closed(),
    };
  }

  #readClient(value: unknown): void {
    const { op, channel, correlationId } = Object(value) as { readonly op?: unknown; readonly channel?: unknown; readonly correlationId?: unknown };
    if ((op !== "subscribe" && op !== "unsubscribe") || typeof channel !== "string" || typeof correlationId !== "string") return;
    this.#requests.set(correlationId, { op, channel });
    this.#latest.set(channel, correlationId);
  }

  #readServer(frame: ServerFrame): void {
    switch (frame.op) {
      case "reply":
        return this.#readReply(frame.correlationId, frame.success ? frame.data : undefined, frame.success);
      case "joined":
        return void this.#positions.set(frame.channel, frame.start.position);
      case "left":
        return void this.#positions.delete(frame.channel);
      case "gap":
        this.#assertStarted(frame.op, frame.channel);
        return void this.#positions.set(frame.channel, frame.start.position);
      case "signals":
      case "presence":
        return this.#assertStarted(frame.op, frame.channel);
      case "events":
        return this.#readEvents(frame);
      default:
    }
  }

  #readReply(correlationId: string, data: unknown, isSuccess: boolean): void {
    const request = this.#requests.get(correlationId);
    if (request === undefined) return;
    this.#requests.delete(correlationId);
    if (request.op === "subscribe" && isSuccess) this.#positions.set(request.channel, subscribeResult.read(data, "data").position);
    // A subscribe that another one has replaced may fail after that one has started.
    else if (isSuccess || (request.op === "subscribe" && this.#latest.get(request.channel) === correlationId)) this.#positions.delete(request.channel);
  }

  #readEvents({ channel, epoch, seq, prev = seq - 1, events }: Extract<ServerFrame, { op: "events" }>): void {
    this.#assertStarted("events", channel);
    const last = this.#positions.get(channel);
    if (last !== undefined && (last.epoch !== epoch || last.seq !== prev)) {
      this.#complain(`${this.#name} is at ${show(last)} on ${channel}, and was sent what follows ${epoch}-${prev}`);
    }
    let next = seq;
    for (const event of events) next = (event.seq ?? next) + 1;
    this.#positions.set(channel, { epoch, seq: next - 1 });
  }

  #assertStarted(op: string, channel: string): void {
    if (!this.#positions.has(channel)) this.#complain(`${this.#name} was sent ${op} of ${channel}, which has not started or is over`);
  }
}
