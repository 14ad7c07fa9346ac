import { connect } from "node:net";
import { codeOfClose, errorEntry } from "@tutti/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BadHandshake, BadMessage } from "./bad-input/bad-case.js";
import { startBadServer, type BadServer } from "./bad-input/bad-server.js";
import { badChannelNames } from "./bad-input/channel-names.js";
import { badEnvelopes } from "./bad-input/envelopes.js";
import { badFrames } from "./bad-input/frames.js";
import { badHandshakes } from "./bad-input/handshakes.js";
import { Neighbour } from "./bad-input/neighbour.js";
import { badPositions } from "./bad-input/positions.js";
import { badTokens } from "./bad-input/tokens.js";
import { RawClient, type RawFrame } from "./raw-client.js";

const groups: readonly (readonly [title: string, messages: readonly BadMessage[], authenticates: boolean])[] = [
  ["frames", badFrames, false],
  ["envelopes", badEnvelopes, false],
  ["positions", badPositions, false],
  ["channel names", badChannelNames, false],
  ["tokens", badTokens, true],
];

let serial = 0;

/** A connection that has come as far as the message needs. */
async function clientAt(server: BadServer, stage: BadMessage["stage"]): Promise<{ readonly client: RawClient; readonly hello: object }> {
  const client = await RawClient.open(server.url);
  const hello = { op: "hello", versions: [1], session: `a-session-of-bad-input-${++serial}`, token: "ada" };
  if (stage === "opened") return { client, hello };
  client.send(hello);
  await client.next(({ op }) => op === "welcome");
  if (stage === "greeted") return { client, hello };
  client.send({ op: "subscribe", correlationId: "subscribe", channel: "canvas:bad" });
  await client.next(({ correlationId }) => correlationId === "subscribe");
  return { client, hello };
}

const hasGap = ({ data }: RawFrame): boolean => typeof data === "object" && data !== null && "gap" in data;

/** What the server made of the message: the code of its answer, `ok` or `gap`. */
async function answerTo(client: RawClient, { send, stage, expect: expected }: BadMessage, probe: object): Promise<{ readonly answer: string; readonly field: string | undefined }> {
  const from = client.frames.length;
  const isAsked = typeof send === "string" && send.includes('"correlationId":"c"');
  const isFine = expected === "ok";
  client.send(send);
  // What asks for no answer is known to be fine when the next message is answered. A hello is answered itself, and must not be said twice.
  if (stage !== "opened") client.send(probe);
  const isAnswer = ({ op, correlationId }: RawFrame): boolean => op === "error" || (isAsked ? correlationId === "c" : isFine && (op === "pong" || op === "welcome"));
  const frame = await client.next(isAnswer, from);
  if (frame === undefined) return { answer: codeOfClose((await client.closed()).code), field: undefined };
  if (frame.error !== undefined) return { answer: frame.error.code, field: frame.error.field };
  return { answer: hasGap(frame) ? "gap" : "ok", field: undefined };
}

async function check(server: BadServer, message: BadMessage): Promise<void> {
  const { client, hello } = await clientAt(server, message.stage);
  try {
    await checkAnswer(client, message, message.stage === "opened" ? hello : { op: "ping" });
  } finally {
    await client.close();
  }
}

async function checkAnswer(client: RawClient, message: BadMessage, probe: object): Promise<void> {
  const { answer, field } = await answerTo(client, message, probe);
  expect(answer).toBe(message.expect);
  if (message.field !== undefined) expect(field?.startsWith(message.field), `the field is ${field}`).toBe(true);

  const closeCode = message.closes ?? errorEntry(message.expect).closeCode;
  if (closeCode !== undefined) {
    expect(await client.closed()).toMatchObject({ code: closeCode });
    return;
  }
  const from = client.frames.length;
  client.send(probe);
  expect(await client.next(({ op }) => op === "pong" || op === "welcome", from), "it goes on").toBeDefined();
}

describe.each(groups)("bad %s", (_title, messages, authenticates) => {
  let server: BadServer;
  let neighbour: Neighbour;

  beforeAll(async () => {
    server = await startBadServer({ authenticates });
    neighbour = await Neighbour.moveIn(server, "bob");
  });
  afterAll(async () => {
    await neighbour.moveOut();
    await server.stop();
  });

  /** A server that answers nothing would be waited for hundreds of times. */
  let failuresLeft = 5;

  it.each(messages.map((message) => [message.name, message] as const))("LIM-3: %s", async (_name, message) => {
    expect(failuresLeft, "after five failures the rest of the group is not tried").toBeGreaterThan(0);
    failuresLeft--;
    await check(server, message);
    await neighbour.isServed();
    failuresLeft++;
  });

  it("LIM-3: nobody else noticed, and nothing is left behind", async () => {
    expect(neighbour.complaints()).toEqual([]);
    await expect.poll(() => server.server.stats().connections).toBe(1);
  });
});

/** The status that a raw request is answered with. */
function statusOf(port: number, { send }: BadHandshake): Promise<number | "closed"> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => void socket.write(Buffer.from(send, "latin1")));
    let answer = "";
    const timer = setTimeout(() => reject(new Error(`no end, after ${JSON.stringify(answer)}`)), 5_000);
    const settle = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer === "" ? "closed" : Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]));
    };
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
      // A connection that was upgraded stays; any other is to end by itself.
      if (answer.startsWith("HTTP/1.1 101 ")) settle();
    });
    socket.on("error", settle);
    socket.on("close", settle);
  });
}

describe("bad handshakes", () => {
  let server: BadServer;
  let neighbour: Neighbour;

  beforeAll(async () => {
    server = await startBadServer();
    neighbour = await Neighbour.moveIn(server);
  });
  afterAll(async () => {
    await neighbour.moveOut();
    await server.stop();
  });

  it.each(badHandshakes.map((handshake) => [handshake.name, handshake] as const))("LIM-3: %s", async (_name, handshake) => {
    expect(await statusOf(server.port, handshake)).toBe(handshake.expect);
    await neighbour.isServed();
  });

  it("LIM-3: nobody else noticed, and nothing is left behind", async () => {
    expect(neighbour.complaints()).toEqual([]);
    await expect.poll(() => server.server.stats().connections).toBe(1);
  });
});

describe("the corpus", () => {
  it("LIM-3: has at least 400 cases, each with a name of its own in its group", () => {
    const named = [...groups.map(([, messages]) => messages), badHandshakes].map((cases) => cases.map(({ name }) => name));
    expect(named.flat().length).toBeGreaterThanOrEqual(400);
    for (const names of named) expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
