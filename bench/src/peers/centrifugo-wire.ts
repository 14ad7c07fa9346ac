import type { Arriving, Mark, Received, Wire } from "../load/wire.js";

interface Publication {
  readonly data: Mark;
  readonly offset?: number;
}

interface Subscribed {
  readonly epoch?: string;
  /** Where a member is that missed nothing; where it was, if publications follow. */
  readonly offset?: number;
  readonly publications?: readonly Publication[];
}

/** A line of what the server says, as far as the load looks at it: an answer has an id, and `{}` is a ping. */
interface Line {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string };
  readonly connect?: object;
  readonly subscribe?: Subscribed;
  readonly publish?: object;
  readonly push?: { readonly channel?: string; readonly pub?: Publication; readonly unsubscribe?: object; readonly disconnect?: object };
}

interface Position {
  readonly epoch?: string;
  readonly offset: number;
}

/** What a member comes back with. An answer does not name its channel, so what answers told stands under their ids. */
interface Resume {
  readonly answered: Readonly<Record<number, Position>>;
  readonly offsets: Readonly<Record<string, number>>;
}

const nothing: Resume = { answered: {}, offsets: {} };

/** A whole event of a small payload: the tail of a message is looked at, too. */
const HEAD_BYTES = 512;
/** Enough of a line for its channel and the mark in its payload. */
const MARK_BYTES = 128;
/** Where lines begin to differ: `{"push"…` and `{"id"…`. */
const KIND_AT = 2;
const PUSH = "p".charCodeAt(0);
const NEWLINE = "\n".charCodeAt(0);

/** The load counts its publishes from 1 on; these stay out of their way. Ids are of 32 bits. */
const CONNECT_ID = 0xff_ff_ff_ff;
const SIGNAL_ID = 0xff_ff_ff_fe;
const SUBSCRIBE_ID = 0xf0_00_00_00;

const linesOf = (text: string): readonly Line[] => text.split("\n").map((line) => JSON.parse(line) as Line);

function readLine(line: Line): Received {
  const { id = 0, error, subscribe, publish, push } = line;
  if (error !== undefined) return { problem: `${error.code}: ${error.message}` };
  if (push?.pub !== undefined) return { marks: [push.pub.data] };
  if (push !== undefined) return { problem: JSON.stringify(line) };
  if (subscribe?.publications !== undefined) return { marks: subscribe.publications.map(({ data }) => data) };
  if (publish !== undefined) return { acks: [id] };
  return Object.keys(line).length === 0 ? { answer: "{}" } : {};
}

function read(text: string): Received {
  const received = linesOf(text).map(readLine);
  const problem = received.find((each) => each.problem !== undefined)?.problem;
  const answer = received.find((each) => each.answer !== undefined)?.answer;
  return {
    marks: received.flatMap(({ marks = [] }) => marks),
    acks: received.flatMap(({ acks = [] }) => acks),
    ...(answer !== undefined && { answer }),
    ...(problem !== undefined && { problem }),
  };
}

/** Commands go in one message, a line each, as answers and pushes do. */
function subscribeAll({ channels, resume }: Arriving): string {
  const { answered, offsets } = (resume as Resume | undefined) ?? nothing;
  const commands = channels.map((channel, index) => {
    const id = SUBSCRIBE_ID + index;
    const { epoch, offset = 0 } = answered[id] ?? {};
    const recovery = epoch !== undefined && { recover: true, epoch, offset: Math.max(offset, offsets[channel] ?? 0) };
    return JSON.stringify({ id, subscribe: { channel, ...recovery } });
  });
  return commands.join("\n");
}

function remembered(resume: Resume, { id = 0, subscribe, push }: Line): Resume {
  if (subscribe !== undefined) {
    const { epoch, offset = 0, publications = [] } = subscribe;
    const position: Position = { ...(epoch !== undefined && { epoch }), offset: publications.at(-1)?.offset ?? offset };
    return { ...resume, answered: { ...resume.answered, [id]: position } };
  }
  const { channel, pub } = push ?? {};
  if (channel === undefined || pub?.offset === undefined) return resume;
  return { ...resume, offsets: { ...resume.offsets, [channel]: pub.offset } };
}

/** A token has to look like a JWT, whether or not anybody checks who signed it. */
function jwtOf(token: string): string {
  if (token.includes(".")) return token;
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: token })}.${part({})}`;
}

const publish = (channel: string, id: number, payload: string): string => `{"id":${id},"publish":{"channel":"${channel}","data":${payload}}}`;

/** The JSON protocol of Centrifugo. */
export const centrifugoWire: Wire = {
  path: "/connection/websocket",
  headBytes: HEAD_BYTES,
  identify(bytes, start, end, length) {
    // An answer may stand in any line, and is for this connection alone.
    if (end - start < length) return "own";
    const message = bytes.subarray(start, end);
    let key = "";
    for (let at = 0; at < length; ) {
      if (message[at + KIND_AT] !== PUSH) return "own";
      const newline = message.indexOf(NEWLINE, at);
      if (newline < 0 && at === 0) return "event";
      key += bytes.toString("latin1", start + at, start + Math.min(at + MARK_BYTES, length));
      at = newline < 0 ? length : newline + 1;
    }
    return { key };
  },
  read,
  *join(arriving) {
    let text = yield [JSON.stringify({ id: CONNECT_ID, connect: { token: jwtOf(arriving.token) } })];
    while (!linesOf(text).some(({ connect }) => connect !== undefined)) text = yield [];
    let messages = [subscribeAll(arriving)];
    for (let waiting = arriving.channels.length; waiting > 0; ) {
      text = yield messages;
      messages = [];
      waiting -= linesOf(text).filter(({ subscribe }) => subscribe !== undefined).length;
    }
  },
  publish: (channel, id, _n, payload) => publish(channel, id, payload),
  // It knows no volatile messages: a cursor is published like everything else.
  signal: (channel, payload) => publish(channel, SIGNAL_ID, payload),
  remember: (before, text) => linesOf(text).reduce(remembered, (before as Resume | undefined) ?? nothing),
};
