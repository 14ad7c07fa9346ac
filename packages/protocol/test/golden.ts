import type { ClientFrame, ServerFrame } from "@tutti/protocol";

/** A frame and the text it travels as. A change here is a change of the wire: see "Evolution" in docs/PROTOCOL.md. */
export interface Golden<Frame> {
  readonly title: string;
  readonly frame: Frame;
  readonly text: string;
}

export const goldenClientFrames: readonly Golden<ClientFrame>[] = [
  {
    title: "hello, with all it may say",
    frame: {
      op: "hello",
      versions: [1],
      session: "s3cr3t-s3cr3t-s3cr3t-s",
      token: "ey.a.b",
      client: { name: "canvas", version: "1.2.3" },
      capabilities: ["batch"],
    },
    text: '{"op":"hello","versions":[1],"session":"s3cr3t-s3cr3t-s3cr3t-s","token":"ey.a.b","client":{"name":"canvas","version":"1.2.3"},"capabilities":["batch"]}',
  },
  {
    title: "hello, with no more than it must say",
    frame: { op: "hello", versions: [1], session: "s3cr3t-s3cr3t-s3cr3t-s" },
    text: '{"op":"hello","versions":[1],"session":"s3cr3t-s3cr3t-s3cr3t-s"}',
  },
  {
    title: "subscribe to a channel that was never seen",
    frame: { op: "subscribe", correlationId: "1", channel: "canvas:7f" },
    text: '{"op":"subscribe","correlationId":"1","channel":"canvas:7f"}',
  },
  {
    title: "subscribe from where it left off, and enter",
    frame: {
      op: "subscribe",
      correlationId: "2",
      channel: "canvas:7f",
      since: { epoch: "e1", seq: 41, eventId: "p4b1:3" },
      presence: true,
      member: { name: "Ada" },
    },
    text: '{"op":"subscribe","correlationId":"2","channel":"canvas:7f","since":{"epoch":"e1","seq":41,"eventId":"p4b1:3"},"presence":true,"member":{"name":"Ada"}}',
  },
  {
    title: "subscribe from so many events ago",
    frame: { op: "subscribe", correlationId: "2", channel: "feed:7f", rewind: { count: 50 } },
    text: '{"op":"subscribe","correlationId":"2","channel":"feed:7f","rewind":{"count":50}}',
  },
  {
    title: "subscribe from so long ago",
    frame: { op: "subscribe", correlationId: "2", channel: "feed:7f", rewind: { ageMs: 60_000 } },
    text: '{"op":"subscribe","correlationId":"2","channel":"feed:7f","rewind":{"ageMs":60000}}',
  },
  {
    title: "unsubscribe",
    frame: { op: "unsubscribe", correlationId: "3", channel: "canvas:7f" },
    text: '{"op":"unsubscribe","correlationId":"3","channel":"canvas:7f"}',
  },
  {
    title: "publish",
    frame: {
      op: "publish",
      correlationId: "4",
      channel: "canvas:7f",
      n: 3,
      settled: 2,
      type: "concept:create",
      payload: { id: "c1", title: "Café" },
      timestamp: 1_700_000_000_000,
    },
    text: '{"op":"publish","correlationId":"4","channel":"canvas:7f","n":3,"settled":2,"type":"concept:create","payload":{"id":"c1","title":"Café"},"timestamp":1700000000000}',
  },
  {
    title: "publish bytes once more",
    frame: {
      op: "publish",
      correlationId: "5",
      channel: "canvas:7f",
      n: 4,
      settled: 2,
      retry: true,
      type: "sketch:add",
      payload: { ink: Uint8Array.of(0, 127, 255) },
      timestamp: 1_700_000_000_001,
    },
    text: '{"op":"publish","correlationId":"5","channel":"canvas:7f","n":4,"settled":2,"retry":true,"type":"sketch:add","payload":{"ink":{"$bytes":"AH//"}},"timestamp":1700000000001}',
  },
  {
    title: "signal, with a payload that looks like bytes",
    frame: { op: "signal", channel: "canvas:7f", type: "cursor:move", payload: { $bytes: "3,4" } },
    text: '{"op":"signal","channel":"canvas:7f","type":"cursor:move","payload":{"$$bytes":"3,4"}}',
  },
  {
    title: "call in a channel",
    frame: { op: "call", correlationId: "6", channel: "canvas:7f", type: "canvas:stats", payload: {}, timestamp: 1_700_000_000_002 },
    text: '{"op":"call","correlationId":"6","channel":"canvas:7f","type":"canvas:stats","payload":{},"timestamp":1700000000002}',
  },
  {
    title: "call without a channel and without a payload",
    frame: { op: "call", correlationId: "7", type: "canvas:list", timestamp: 1_700_000_000_003 },
    text: '{"op":"call","correlationId":"7","type":"canvas:list","timestamp":1700000000003}',
  },
  {
    title: "enter presence",
    frame: { op: "presence", correlationId: "8", channel: "canvas:7f", member: { name: "Ada" } },
    text: '{"op":"presence","correlationId":"8","channel":"canvas:7f","member":{"name":"Ada"}}',
  },
  {
    title: "leave presence",
    frame: { op: "presence", correlationId: "9", channel: "canvas:7f" },
    text: '{"op":"presence","correlationId":"9","channel":"canvas:7f"}',
  },
  { title: "activity", frame: { op: "activity", activity: "idle" }, text: '{"op":"activity","activity":"idle"}' },
  {
    title: "refresh",
    frame: { op: "refresh", correlationId: "10", token: "ey.c.d" },
    text: '{"op":"refresh","correlationId":"10","token":"ey.c.d"}',
  },
  { title: "ping", frame: { op: "ping" }, text: '{"op":"ping"}' },
  { title: "bye", frame: { op: "bye" }, text: '{"op":"bye"}' },
];

const ada = { session: "p4b1", user: "ada", state: { name: "Ada" }, activity: "active", since: 1_700_000_000_000 } as const;

export const goldenServerFrames: readonly Golden<ServerFrame>[] = [
  {
    title: "welcome",
    frame: {
      op: "welcome",
      version: 1,
      session: "p4b1",
      connection: "k9",
      user: "ada",
      capabilities: ["batch"],
      heartbeat: { intervalMs: 25_000, timeoutMs: 5_000 },
      limits: { messageBytesMax: 65_536 },
      tokenExpiresMs: 3_600_000,
      timestamp: 1_700_000_000_000,
    },
    text: '{"op":"welcome","version":1,"session":"p4b1","connection":"k9","user":"ada","capabilities":["batch"],"heartbeat":{"intervalMs":25000,"timeoutMs":5000},"limits":{"messageBytesMax":65536},"tokenExpiresMs":3600000,"timestamp":1700000000000}',
  },
  {
    title: "reply to a publish",
    frame: { op: "reply", correlationId: "4", success: true, data: { position: { epoch: "e1", seq: 42 }, eventId: "p4b1:3" } },
    text: '{"op":"reply","correlationId":"4","success":true,"data":{"position":{"epoch":"e1","seq":42},"eventId":"p4b1:3"}}',
  },
  {
    title: "reply to a repeated publish that the server changed",
    frame: { op: "reply", correlationId: "4", success: true, data: { position: { epoch: "e1", seq: 42 }, eventId: "p4b1:3", repeat: true, payload: { id: "c9" } } },
    text: '{"op":"reply","correlationId":"4","success":true,"data":{"position":{"epoch":"e1","seq":42},"eventId":"p4b1:3","repeat":true,"payload":{"id":"c9"}}}',
  },
  {
    title: "reply with an error",
    frame: {
      op: "reply",
      correlationId: "5",
      success: false,
      error: { code: "PAYLOAD_INVALID", message: "payload.title: too long", field: "payload.title", retryAfterMs: 50, data: { most: 80 } },
    },
    text: '{"op":"reply","correlationId":"5","success":false,"error":{"code":"PAYLOAD_INVALID","message":"payload.title: too long","field":"payload.title","retryAfterMs":50,"data":{"most":80}}}',
  },
  {
    title: "events that follow each other",
    frame: {
      op: "events",
      channel: "canvas:7f",
      epoch: "e1",
      seq: 42,
      events: [
        { eventId: "p4b1:3", type: "concept:create", payload: { id: "c1" }, timestamp: 1_700_000_000_004, user: "ada" },
        { eventId: "p4b1:4", type: "concept:delete", timestamp: 1_700_000_000_005 },
      ],
    },
    text: '{"op":"events","channel":"canvas:7f","epoch":"e1","seq":42,"events":[{"eventId":"p4b1:3","type":"concept:create","payload":{"id":"c1"},"timestamp":1700000000004,"user":"ada"},{"eventId":"p4b1:4","type":"concept:delete","timestamp":1700000000005}]}',
  },
  {
    title: "events of a broker that counts in jumps",
    frame: {
      op: "events",
      channel: "canvas:7f",
      epoch: "e1",
      seq: 50,
      prev: 42,
      events: [
        { eventId: "a:1", type: "note:add", payload: "x", timestamp: 5 },
        { eventId: "a:2", type: "note:add", payload: "y", timestamp: 6, seq: 60 },
      ],
    },
    text: '{"op":"events","channel":"canvas:7f","epoch":"e1","seq":50,"prev":42,"events":[{"eventId":"a:1","type":"note:add","payload":"x","timestamp":5},{"eventId":"a:2","type":"note:add","payload":"y","timestamp":6,"seq":60}]}',
  },
  {
    title: "gap",
    frame: {
      op: "gap",
      channel: "canvas:7f",
      start: {
        position: { epoch: "e2", seq: 90 },
        gap: { from: { epoch: "e1", seq: 41 }, to: { epoch: "e2", seq: 90 } },
        snapshot: { version: 1, state: { concepts: [] } },
      },
    },
    text: '{"op":"gap","channel":"canvas:7f","start":{"position":{"epoch":"e2","seq":90},"gap":{"from":{"epoch":"e1","seq":41},"to":{"epoch":"e2","seq":90}},"snapshot":{"version":1,"state":{"concepts":[]}}}}',
  },
  {
    title: "signals",
    frame: { op: "signals", channel: "canvas:7f", signals: [{ type: "cursor:move", payload: { x: 1, y: 2 }, session: "p4b1", user: "ada" }] },
    text: '{"op":"signals","channel":"canvas:7f","signals":[{"type":"cursor:move","payload":{"x":1,"y":2},"session":"p4b1","user":"ada"}]}',
  },
  {
    title: "presence, the whole list",
    frame: { op: "presence", channel: "canvas:7f", members: [ada], complete: true },
    text: '{"op":"presence","channel":"canvas:7f","members":[{"session":"p4b1","user":"ada","state":{"name":"Ada"},"activity":"active","since":1700000000000}],"complete":true}',
  },
  {
    title: "presence, what changed",
    frame: { op: "presence", channel: "canvas:7f", changes: [{ type: "presence:update", member: { ...ada, away: true } }] },
    text: '{"op":"presence","channel":"canvas:7f","changes":[{"type":"presence:update","member":{"session":"p4b1","user":"ada","state":{"name":"Ada"},"activity":"active","since":1700000000000,"away":true}}]}',
  },
  {
    title: "joined",
    frame: { op: "joined", channel: "canvas:7f", start: { position: { epoch: "e1", seq: 0 } } },
    text: '{"op":"joined","channel":"canvas:7f","start":{"position":{"epoch":"e1","seq":0}}}',
  },
  {
    title: "joined where an event is known",
    frame: { op: "joined", channel: "canvas:7f", start: { position: { epoch: "e1", seq: 42, eventId: "p4b1:3" } } },
    text: '{"op":"joined","channel":"canvas:7f","start":{"position":{"epoch":"e1","seq":42,"eventId":"p4b1:3"}}}',
  },
  {
    title: "left",
    frame: { op: "left", channel: "canvas:7f", error: { code: "KICKED", message: "Be kind." } },
    text: '{"op":"left","channel":"canvas:7f","error":{"code":"KICKED","message":"Be kind."}}',
  },
  {
    title: "error",
    frame: { op: "error", error: { code: "SERVER_DRAINING", message: "back soon", retryAfterMs: 2_000 } },
    text: '{"op":"error","error":{"code":"SERVER_DRAINING","message":"back soon","retryAfterMs":2000}}',
  },
  {
    title: "error about a channel",
    frame: { op: "error", error: { code: "FORBIDDEN", message: "FORBIDDEN" }, channel: "canvas:7f" },
    text: '{"op":"error","error":{"code":"FORBIDDEN","message":"FORBIDDEN"},"channel":"canvas:7f"}',
  },
  { title: "pong", frame: { op: "pong" }, text: '{"op":"pong"}' },
];
