import { limits, type Codec, type Encoded } from "@tutti/protocol";

/** How a transport writes a message. One function for all connections of a kind: what it made is known by it. */
type Framing<Framed> = (data: Encoded) => Framed;

/**
 * One encoded message, which any number of connections may send. A transport keeps the form it writes (framed, for a WebSocket) with the
 * packet, so that it is made once for all of them.
 */
export class Packet {
  readonly data: Encoded;
  /** A list of this packet alone, which all outboxes share that hold nothing else. Not to be changed. */
  readonly alone: Packet[] = [this];
  /** Of one framing mostly: the first look finds it. */
  #framing: Framing<unknown> | undefined;
  #framed: unknown;
  #others: Map<Framing<unknown>, unknown> | undefined;
  #bytes: number | undefined;

  constructor(data: Encoded) {
    this.data = data;
  }

  /** One message with these frames. @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP` */
  static of(codec: Codec, frames: readonly object[]): Packet {
    return new Packet(codec.encode(frames, limits.serverDepthMax));
  }

  /** The packet as `frame` makes it; made on its first call. */
  framed<Framed>(frame: Framing<Framed>): Framed {
    if (this.#framing === frame) return this.#framed as Framed;
    if (this.#framing !== undefined) return this.#framedOtherwise(frame);
    const framed = frame(this.data);
    this.#framing = frame;
    this.#framed = framed;
    return framed;
  }

  /** How many bytes it takes on the wire, without the transport's framing. */
  get bytes(): number {
    return (this.#bytes ??= typeof this.data === "string" ? Buffer.byteLength(this.data) : this.data.length);
  }

  /** For the connections of another kind that share it. */
  #framedOtherwise<Framed>(frame: Framing<Framed>): Framed {
    const others = (this.#others ??= new Map());
    if (!others.has(frame)) others.set(frame, frame(this.data));
    return others.get(frame) as Framed;
  }
}

interface Encoding {
  readonly codec: Codec;
  readonly packet: Packet;
}

/** Encodes the same frames at most once for each codec in use. */
export class SharedPacket {
  readonly #frames: readonly object[];
  /** Of one codec mostly, and of a few at most: the first look finds it. */
  readonly #encodings: Encoding[] = [];

  constructor(frames: readonly object[]) {
    this.#frames = frames;
  }

  for(codec: Codec): Packet {
    const first = this.#encodings[0];
    return first?.codec === codec ? first.packet : this.#find(codec);
  }

  #find(codec: Codec): Packet {
    const encoding = this.#encodings.find((each) => each.codec === codec);
    if (encoding !== undefined) return encoding.packet;
    const packet = Packet.of(codec, this.#frames);
    this.#encodings.push({ codec, packet });
    return packet;
  }
}
