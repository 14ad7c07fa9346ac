import type { Mark, Wire } from "../load/wire.js";
import { startNode } from "./node-process.js";
import type { Peer } from "./peer.js";

type Message = { readonly op: "event"; readonly payload: Mark } | { readonly op: "ack"; readonly id: number } | { readonly op: "joined" };

/** Where the name of a message stands: `{"op":"`. */
const OP_AT = 7;
const EVENT = "e".charCodeAt(0);

const wire: Wire = {
  path: "/",
  headBytes: 8,
  identify: (bytes, start) => (bytes[start + OP_AT] === EVENT ? "event" : "own"),
  read(text) {
    const message = JSON.parse(text) as Message;
    if (message.op === "event") return { marks: [message.payload] };
    return message.op === "ack" ? { acks: [message.id] } : {};
  },
  *join({ channels, token }) {
    let text = yield [JSON.stringify({ op: "join", channels, token })];
    while ((JSON.parse(text) as Message).op !== "joined") text = yield [];
  },
  publish: (channel, id, _n, payload) => `{"op":"publish","id":${id},"channel":"${channel}","payload":${payload}}`,
  signal: (channel, payload) => `{"op":"signal","channel":"${channel}","payload":${payload}}`,
};

/** Bare `ws`, a write for each message and member. */
export const ws: Peer = { name: "ws", wire, recovers: false, start: (setup) => startNode("ws-server.js", setup) };

/** Bare `ws`, a write for each turn and member. */
export const wsOnceATurn: Peer = { name: "ws-turn", wire, recovers: false, start: (setup) => startNode("ws-server.js", setup, { onceATurn: true }) };
