import type { ServerFrame } from "@tutti/protocol";
import type { Mark, Received, Wire } from "../load/wire.js";
import { startNode } from "./node-process.js";
import type { Peer } from "./peer.js";

const HEAD_BYTES = 256;
const EVENTS = 'events"';
const SIGNALS = 'signals';
/** Where the name of a frame stands: `{"op":"`. */
const OP_AT = 7;

/** The latest position of each channel. */
type Resume = Readonly<Record<string, { readonly epoch: string; readonly seq: number; readonly eventId?: string }>>;

function framesOf(text: string): readonly ServerFrame[] {
  const value = JSON.parse(text) as ServerFrame | readonly ServerFrame[];
  return Array.isArray(value) ? value : [value as ServerFrame];
}

const markOf = ({ payload }: { readonly payload?: unknown }): Mark => payload as Mark;

function readFrame(frame: ServerFrame): Received {
  switch (frame.op) {
    case "events":
      return { marks: frame.events.map(markOf) };
    case "signals":
      return { marks: frame.signals.map(markOf) };
    case "reply":
      if (!frame.success) return { problem: JSON.stringify(frame.error) };
      return { acks: [Number(frame.correlationId)] };
    case "error":
    case "left":
      return { problem: JSON.stringify(frame) };
    case "gap":
      return { problem: "there was a gap" };
    default:
      return {};
  }
}

const wire: Wire = {
  path: "/v1/connect",
  subprotocol: "tutti.1.json",
  headBytes: HEAD_BYTES,
  ping: '{"op":"ping"}',
  identify(bytes, start, end, length) {
    const isOp = (name: string): boolean => bytes.toString("latin1", start + OP_AT, start + OP_AT + name.length) === name;
    if (isOp(EVENTS)) {
      const head = bytes.toString("latin1", start, Math.min(end, start + HEAD_BYTES));
      // Channel, epoch and first position stand in front: enough to know it again, with the length.
      const at = head.indexOf(',"events":');
      return { key: `${length}${head.slice(0, at)}` };
    }
    if (isOp(SIGNALS)) return { key: `${length}${bytes.toString("latin1", start, Math.min(end, start + HEAD_BYTES))}` };
    return "own";
  },
  read(text) {
    const received = framesOf(text).map(readFrame);
    const problem = received.find((each) => each.problem !== undefined)?.problem;
    return {
      marks: received.flatMap(({ marks = [] }) => marks),
      acks: received.flatMap(({ acks = [] }) => acks),
      ...(problem !== undefined && { problem }),
    };
  },
  *join({ channels, token, session, resume = {} }) {
    let text = yield [JSON.stringify({ op: "hello", versions: [1], session, token, capabilities: ["presence", "signals", "calls"] })];
    while (!framesOf(text).some(({ op }) => op === "welcome")) text = yield [];
    const requests = channels.map((channel, index) => {
      const since = (resume as Resume)[channel];
      return { op: "subscribe", correlationId: `-${index + 1}`, channel, ...(since !== undefined && { since }) };
    });
    let waiting = channels.length;
    let messages = [JSON.stringify(requests)];
    while (waiting > 0) {
      text = yield messages;
      messages = [];
      waiting -= framesOf(text).filter((frame) => frame.op === "reply" && frame.correlationId.startsWith("-")).length;
    }
  },
  publish: (channel, id, n, payload) =>
    `{"op":"publish","correlationId":"${id}","channel":"${channel}","n":${n},"settled":0,"type":"item:add","payload":${payload},"timestamp":0}`,
  signal: (channel, payload) => `{"op":"signal","channel":"${channel}","type":"cursor:move","payload":${payload}}`,
  remember(before = {}, text) {
    const resume: Record<string, Resume[string]> = { ...(before as Resume) };
    for (const frame of framesOf(text)) {
      if (frame.op !== "events") continue;
      // Those of a load that reads all have no jumps in them: the broker in memory counts by ones.
      resume[frame.channel] = { epoch: frame.epoch, seq: frame.seq + frame.events.length - 1, eventId: frame.events.at(-1)?.eventId ?? "" };
    }
    return resume;
  },
};

/** The product, as it comes: authentication, validation, recovery and heartbeats are on. */
export const tutti: Peer = { name: "tutti", wire, recovers: true, start: (setup) => startNode("tutti-server.js", setup) };

/** The same without slices: what is flushed is written to its end before anything else. */
export const tuttiUnsliced: Peer = { name: "tutti-unsliced", wire, recovers: true, start: (setup) => startNode("tutti-server.js", setup, { deliverySliceMs: Number.MAX_SAFE_INTEGER }) };

/** The same with signals held for some milliseconds, as a room that is all cursors may want it. */
export const tuttiHolding: Peer = {
  name: "tutti-held",
  wire,
  recovers: true,
  start: (setup) => startNode("tutti-server.js", setup, { namespaces: { room: { signalFlushMs: 10 } } }),
};
