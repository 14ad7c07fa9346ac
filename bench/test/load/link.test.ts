import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { Link, type LinkListener } from "../../src/load/link.js";
import type { Identity, Wire } from "../../src/load/wire.js";

/** What is told by its first letter: an event, or something of one's own. */
const EVENT = "e".charCodeAt(0);
const wire: Wire = {
  path: "/",
  headBytes: 8,
  identify: (bytes, start, end, length) => {
    if (end - start < Math.min(length, 8)) throw new Error("the head is not there yet");
    return bytes[start] === EVENT ? "event" : "own";
  },
  read: () => ({}),
  *join() {},
  publish: () => "",
  signal: () => "",
};

type Told = readonly [what: "opened"] | readonly [what: Identity, text: string | undefined] | readonly [what: "ended", reason: string];

/** Writes down what a link tells. Only the texts of what is its own are wanted. */
class Reporter implements LinkListener {
  readonly told: Told[] = [];
  #changed = (): void => {};

  opened(): void {
    this.#tell(["opened"]);
  }

  arrived(_link: Link, identity: Identity, text: string | undefined): void {
    this.#tell([identity, text]);
  }

  wants(_link: Link, identity: Identity): boolean {
    return identity === "own";
  }

  ended(_link: Link, reason: string): void {
    this.#tell(["ended", reason]);
  }

  async until(count: number): Promise<readonly Told[]> {
    while (this.told.length < count) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.told;
  }

  #tell(what: Told): void {
    this.told.push(what);
    this.#changed();
  }
}

/** A final frame of a server: the shortest header there is. */
function frame(payload: string, opcode = 1): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length <= 0xff_ff ? 4 : 10);
  header[0] = 0x80 | opcode;
  header[1] = length < 126 ? length : length <= 0xff_ff ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, Buffer.from(payload, "latin1")]);
}

const handshake = Buffer.from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");

/** Long enough for a header and the head behind it. */
const headEnd = 20;

/** Byte by byte as far as a header and a head may reach, and then in large pieces. */
function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const next = at < headEnd ? at + 1 : at + 50_000;
    yield bytes.subarray(at, next);
    at = next;
  }
}

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** A link to a server that says what it is given, in pieces that arrive one by one. */
async function linked(...sayings: readonly Buffer[]): Promise<{ readonly link: Link; readonly reporter: Reporter; readonly server: Socket }> {
  const listening: Server = createServer().listen(0, "127.0.0.1");
  await once(listening, "listening");
  const reporter = new Reporter();
  const link = new Link((listening.address() as AddressInfo).port, wire, 0, reporter);
  const [server] = (await once(listening, "connection")) as [Socket];
  open.push(listening, { close: () => link.cut() }, { close: () => server.destroy() });
  server.setNoDelay(true);
  await once(server, "data");
  for (const saying of sayings) {
    for (const piece of piecesOf(saying)) {
      server.write(piece);
      await nextTurn();
    }
  }
  return { link, reporter, server };
}

describe("a link", () => {
  test("reads messages of any length, wherever they are cut", async () => {
    const texts = [0, 1, 7, 125, 126, 127, 300, 65_535, 65_536, 600_000].map((length) => "abcdefghij".repeat(Math.ceil(length / 10)).slice(0, length));
    const { reporter } = await linked(handshake, ...texts.map((text) => frame(text)));
    expect(await reporter.until(1 + texts.length)).toEqual([["opened"], ...texts.map((text) => ["own", text])]);
  });

  test("reads many messages that come at once, behind the handshake", async () => {
    const texts = Array.from({ length: 500 }, (_, index) => `text ${index}`);
    const all = Buffer.concat([handshake, ...texts.map((text) => frame(text))]);
    const { reporter, server } = await linked();
    server.write(all);
    expect(await reporter.until(1 + texts.length)).toEqual([["opened"], ...texts.map((text) => ["own", text])]);
  });

  test("tells by its head what nobody wants to read, and skips it", async () => {
    const { reporter } = await linked(handshake, frame(`e${"x".repeat(70_000)}`), frame("own"), frame("event"));
    expect(await reporter.until(4)).toEqual([["opened"], ["event", undefined], ["own", "own"], ["event", undefined]]);
  });

  test("answers pings between messages, and tells nobody", async () => {
    const { reporter, server } = await linked(handshake, frame("one"));
    const answered = once(server, "data");
    server.write(Buffer.concat([frame("with something in it", 9), frame("", 9), frame("two")]));
    expect(await reporter.until(3)).toEqual([["opened"], ["own", "one"], ["own", "two"]]);
    const [answer] = (await answered) as [Buffer];
    expect(answer[0]).toBe(0x8a);
  });

  test("tells why a server hung up", async () => {
    const { reporter } = await linked(handshake, frame("\u0003\u00eatoo slow", 8), frame("nothing comes any more"));
    expect(await reporter.until(2)).toEqual([["opened"], ["ended", "closed by the server: 1002 too slow"]]);
  });

  test("tells of a handshake that was refused", async () => {
    const { reporter } = await linked(Buffer.from("HTTP/1.1 401 Unauthorized\r\n\r\n"));
    expect(await reporter.until(1)).toEqual([["ended", "the handshake was answered: HTTP/1.1 401 Unauthorized\r\n\r\n"]]);
  });

  test("tells nobody that it was cut", async () => {
    const { link, reporter, server } = await linked(handshake);
    link.cut();
    await once(server, "close");
    expect(reporter.told).toEqual([["opened"]]);
  });

  test("sends what a server reads, in frames of any length", async () => {
    const webSockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(webSockets, "listening");
    open.push(webSockets);
    const reporter = new Reporter();
    const link = new Link((webSockets.address() as AddressInfo).port, wire, 0, reporter);
    const [webSocket] = (await once(webSockets, "connection")) as [WebSocket];
    open.push({ close: () => link.cut() });
    const texts = [0, 5, 125, 126, 65_535, 65_536].map((length) => "y".repeat(length));
    const read: string[] = [];
    const done = new Promise<void>((resolve) => {
      webSocket.on("message", (data: Buffer) => {
        read.push(data.toString());
        if (read.length === texts.length + 1) resolve();
      });
    });
    await reporter.until(1);
    link.send(texts);
    link.send(["alone"]);
    await done;
    expect(read).toEqual([...texts, "alone"]);
  });
});
