import type { Transport } from "@tutti/client";
import { longPollTransport } from "@tutti/client/long-poll";
import { pollTransport } from "@tutti/client/poll";
import { sseTransport } from "@tutti/client/sse";
import { streamTransport } from "@tutti/client/stream";
import { hasNginx } from "@tutti/cluster";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { plainNginx } from "./plain-nginx.js";
import { Stage } from "./stage.js";

const patience = { timeout: 10_000, interval: 5 };
const one = { id: "one" };

const often = { intervals: { lookedAtMs: 100, unknownMs: 100, backgroundMs: 100 } };
const TRANSPORTS: readonly (readonly [name: string, make: () => Transport])[] = [
  ["sse", sseTransport],
  ["stream", streamTransport],
  ["long-poll", longPollTransport],
  ["poll", () => pollTransport(often)],
];

let stage: Stage;
const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  stage = new Stage();
});

afterEach(async () => {
  await stage.guests.leave();
  for (const end of ends.splice(0)) await end();
  await stage.end();
});

async function behind(directives?: readonly string[]) {
  const { server, port } = await stage.serve();
  const nginx = await plainNginx(port, directives);
  ends.push(() => nginx.stop());
  return { server, url: nginx.url };
}

function guest(url: string, transport: Transport) {
  const client = stage.guests.client(url, { transport });
  const room = client.channel("room:{id}", one);
  const lines: string[] = [];
  room.on("line:add", ({ payload }) => void lines.push(payload.id));
  return { client, room, lines };
}

describe.skipIf(!hasNginx())("links over HTTP, through nginx (needs nginx)", () => {
  it.each(TRANSPORTS)("LNK-3, LNK-18: as it comes, which buffers, %s is live", async (name, make) => {
    const { server, url } = await behind();
    const { room, lines } = guest(url, make());
    await room.subscribe();
    expect(server.connections().map(({ transport }) => transport)).toEqual([name]);
    for (const id of ["a", "b", "c"]) {
      await room.publish("line:add", { id });
      await vi.waitFor(() => expect(lines.at(-1)).toBe(id), patience);
    }
    expect(lines).toEqual(["a", "b", "c"]);
  });

  it.each(TRANSPORTS.slice(0, 2))("LNK-3: that buffers whatever it is told lets nothing of %s through, so that it is found out", async (_name, make) => {
    const { url } = await behind(["proxy_ignore_headers X-Accel-Buffering;", "proxy_buffers 8 64k;", "proxy_buffer_size 64k;"]);
    const { client, room } = guest(url, make());
    void room.subscribe().catch(() => {});
    await pause(1_500);
    expect(client.connection.getSnapshot().status).toBe("connecting");
    const other = guest(url, longPollTransport());
    await other.room.subscribe();
    await other.room.publish("line:add", { id: "a" });
    expect(other.room.state.getSnapshot()).toEqual(["a"]);
  });

  it.each(TRANSPORTS)("LNK-18: that cuts what is silent for 2 s costs %s nothing but that", async (_name, make) => {
    const { server, url } = await behind(["proxy_read_timeout 2s;"]);
    const { room, lines } = guest(url, make());
    await room.subscribe();
    const publisher = server.channel("room:{id}", one);
    const ids = Array.from({ length: 3 }, (_, index) => String(index));
    for (const id of ids) {
      await publisher.publish("line:add", { id });
      await pause(300);
    }
    await pause(3_000);
    await publisher.publish("line:add", { id: "last" });
    await vi.waitFor(() => expect(lines.at(-1)).toBe("last"), patience);
    expect(lines).toEqual([...ids, "last"]);
  });
});
