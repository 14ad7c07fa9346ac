// What people write on `ws` by hand: rooms, a broadcast, an ack. Nothing is recovered, checked or bounded.
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { serve } from "./serve.js";
import { trustToken, verifyToken } from "./tokens.js";

interface Room {
  readonly members: Set<Member>;
  readonly waiting: Buffer[];
}

interface Member {
  readonly rooms: Room[];
  readonly webSocket: WebSocket;
  readonly socket: Duplex;
}

type Message =
  | { readonly op: "join"; readonly channels: readonly string[]; readonly token: string }
  | { readonly op: "publish"; readonly id: number; readonly channel: string; readonly payload: unknown }
  | { readonly op: "signal"; readonly channel: string; readonly payload: unknown };

const rooms = new Map<string, Room>();

function roomOf(name: string): Room {
  let room = rooms.get(name);
  if (room === undefined) rooms.set(name, (room = { members: new Set(), waiting: [] }));
  return room;
}

function join(member: Member, room: Room): void {
  room.members.add(member);
  member.rooms.push(room);
}

/** One write a message, as everybody begins. */
function broadcast(room: Room, text: string): void {
  const bytes = Buffer.from(text);
  for (const { webSocket } of room.members) webSocket.send(bytes, { binary: false });
}

/** One write a turn of all that came in it: the ceiling of this machine. */
function broadcastAtEndOfTurn(room: Room, text: string): void {
  room.waiting.push(frameOf(text));
  if (room.waiting.length > 1) return;
  setImmediate(() => {
    const bytes = Buffer.concat(room.waiting.splice(0));
    for (const { socket } of room.members) socket.write(bytes);
  });
}

function frameOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? Buffer.from([0x81, length]) : Buffer.from([0x81, 126, length >> 8, length & 255]);
  return Buffer.concat([header, Buffer.from(text)]);
}

await serve((http, { setup, options }) => {
  const webSockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
  const send = options["onceATurn"] === true ? broadcastAtEndOfTurn : broadcast;

  const handle = async (member: Member, text: string): Promise<void> => {
    const message = JSON.parse(text) as Message;
    if (message.op === "join") {
      if (setup.checksTokens) await verifyToken(message.token);
      else trustToken(message.token);
      for (const name of message.channels) join(member, roomOf(name));
      member.webSocket.send('{"op":"joined"}');
      return;
    }
    send(roomOf(message.channel), JSON.stringify({ op: "event", channel: message.channel, type: "item:add", payload: message.payload }));
    if (message.op === "publish") member.webSocket.send(`{"op":"ack","id":${message.id}}`);
  };

  http.on("upgrade", (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const member: Member = { rooms: [], webSocket, socket };
      webSocket.on("message", (data: Buffer) => void handle(member, data.toString()));
      webSocket.on("error", () => {});
      webSocket.on("close", () => {
        for (const { members } of member.rooms) members.delete(member);
      });
    });
  });
});
