import type { Mark, Received, Wire } from "../load/wire.js";
import { startNode } from "./node-process.js";
import type { Peer } from "./peer.js";

/** What a member comes back with: the session's private id, and the offset of the last event. */
interface Resume {
  readonly pid?: string;
  readonly offset?: string;
}

/** An event of Socket.IO: `42["event",…`; the third byte of an acknowledgement is its id. */
const EVENT_BRACKET = "[".charCodeAt(0);
const EVENT_HEAD = /^42\[/;
const ACK = /^43(\d+)/;
const JOIN_ID = 0;

function read(text: string): Received {
  if (text === "2") return { answer: "3" };
  if (EVENT_HEAD.test(text)) {
    const [, mark] = JSON.parse(text.slice(2)) as readonly [string, Mark];
    return { marks: [mark] };
  }
  if (text.startsWith("44")) return { problem: text };
  const id = ACK.exec(text)?.[1];
  return id === undefined || Number(id) === JOIN_ID ? {} : { acks: [Number(id)] };
}

const wire: Wire = {
  path: "/socket.io/?EIO=4&transport=websocket",
  headBytes: 3,
  identify: (bytes, start, _end, length) => (length > 2 && bytes[start + 2] === EVENT_BRACKET ? "event" : "own"),
  read,
  *join({ channels, token, resume = {} }) {
    let text = yield [];
    const { pid, offset } = resume as Resume;
    text = yield [`40${JSON.stringify({ token, ...(pid !== undefined && { pid, offset }) })}`];
    while (!text.startsWith("40")) text = yield [];
    // Who is recovered is in its rooms again.
    const isRecovered = pid !== undefined && (JSON.parse(text.slice(2)) as Resume).pid === pid;
    if (isRecovered) return;
    text = yield [`42${JOIN_ID}${JSON.stringify(["join", channels])}`];
    while (!text.startsWith(`43${JOIN_ID}[`)) text = yield [];
  },
  publish: (channel, id, _n, payload) => `42${id}["publish","${channel}",${payload}]`,
  signal: (channel, payload) => `42["signal","${channel}",${payload}]`,
  remember(before = {}, text) {
    const resume = before as Resume;
    if (text.startsWith("40")) return { ...resume, pid: (JSON.parse(text.slice(2)) as Resume).pid };
    if (!EVENT_HEAD.test(text)) return resume;
    const offset = (JSON.parse(text.slice(2)) as readonly unknown[]).at(-1);
    return typeof offset === "string" ? { ...resume, offset } : resume;
  },
};

export const socketIo: Peer = { name: "socket.io", wire, recovers: false, start: (setup) => startNode("socket-io-server.js", setup) };

export const socketIoRecovering: Peer = { name: "socket.io-recovery", wire, recovers: true, start: (setup) => startNode("socket-io-server.js", setup, { recovers: true }) };

/** Nodes that share a stream of Redis's instead of its channels: what a node missed it reads later. */
export const socketIoOnStreams: Peer = { name: "socket.io-streams", wire, recovers: false, start: (setup) => startNode("socket-io-server.js", setup, { adapter: "streams" }) };
