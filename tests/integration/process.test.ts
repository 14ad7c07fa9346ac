import { afterEach, describe, expect, it, vi } from "vitest";
import { Child } from "./child.js";
import { Guests, reasonsOf, statusesOf, type RoomClient } from "./sdk.js";

const patience = { timeout: 10_000, interval: 10 };
/** What a process may take to end, once its server is closed. */
const exitMsMax = 5_000;

const guests = new Guests();
const children: Child[] = [];

afterEach(async () => {
  await guests.leave();
  await Promise.all(children.splice(0).map((child) => child.stop()));
});

async function start(port?: number): Promise<Child> {
  const child = await Child.start("room-server", port === undefined ? {} : { port });
  children.push(child);
  return child;
}

/** How the process ended; fails where it does not end by itself. */
async function endOf(child: Child) {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the process is alive after ${exitMsMax} ms`)), exitMsMax);
  });
  return Promise.race([child.ended, late]).finally(() => clearTimeout(timer));
}

const roomOf = (client: RoomClient) => client.channel("room:{id}", { id: "one" });

async function enter(url: string): Promise<RoomClient> {
  const client = guests.client(url);
  await roomOf(client).subscribe();
  return client;
}

const isConnected = (client: RoomClient): boolean => client.connection.getSnapshot().status === "connected";

describe("the process of a server", () => {
  it("SRV-1: SIGTERM drains: clients hear SERVER_DRAINING, the process ends, and they come back when it is there again", async () => {
    const child = await start();
    const clients = await Promise.all(Array.from({ length: 3 }, () => enter(child.url)));
    const statuses = clients.map(statusesOf);
    const before = await roomOf(clients[0]!).publish("line:add", { id: "before" });

    await child.release();
    child.kill("SIGTERM");
    expect(await endOf(child)).toEqual({ code: 0, signal: null });
    for (const each of statuses) expect(reasonsOf(each)[0]).toBe("SERVER_DRAINING");
    const meanwhile = roomOf(clients[0]!).publish("line:add", { id: "meanwhile" });

    await start(child.port);
    await vi.waitFor(() => expect(clients.every(isConnected)).toBe(true), patience);
    const { position } = await meanwhile;
    expect(position.epoch).not.toBe(before.position.epoch);
    await vi.waitFor(() => {
      for (const client of clients) expect(roomOf(client).state.canonical()).toEqual(["meanwhile"]);
    }, patience);
  });

  it("SRV-1: a server that is closed keeps no process alive, whatever it has served", async () => {
    const child = await start();
    const clients = await Promise.all(Array.from({ length: 3 }, () => enter(child.url)));
    await Promise.all(clients.map((client, index) => roomOf(client).publish("line:add", { id: String(index) })));
    await child.ask("close");
    await child.release();
    expect(await endOf(child)).toEqual({ code: 0, signal: null });
  });

  it("PUB-2, CON-7: after kill -9 publishers send again what was not acknowledged; nothing lands twice, and all agree", async () => {
    const child = await start();
    const publishers = await Promise.all(Array.from({ length: 4 }, () => enter(child.url)));
    const acks: { readonly id: string; readonly epoch: string }[] = [];
    const published: Promise<void>[] = [];
    const publish = (client: RoomClient, id: string): void => {
      published.push(roomOf(client).publish("line:add", { id }).then(({ position }) => void acks.push({ id, epoch: position.epoch })));
    };
    const publishAll = (from: number): void => publishers.forEach((client, index) => Array.from({ length: 100 }, (_, count) => publish(client, `${index}-${from + count}`)));

    publishAll(0);
    // In the middle of it: some of them acknowledged, more of them under way.
    await Promise.race(published);
    child.kill("SIGKILL");
    await child.ended;
    await vi.waitFor(() => expect(publishers.some(isConnected)).toBe(false), patience);
    publishAll(100);
    const acknowledgedBefore = acks.length;

    const again = await start(child.port);
    await Promise.all(published);
    const { epoch, ids } = await again.ask("room", "one");
    console.log(`${acknowledgedBefore} of 400 were acknowledged before the kill, ${ids.length} of 800 are in the new epoch`);
    expect(acknowledgedBefore).toBeGreaterThan(0);
    expect(acknowledgedBefore).toBeLessThan(400);
    expect(new Set(acks.map(({ id }) => id)).size).toBe(800);
    expect(new Set(ids).size).toBe(ids.length);
    // What was acknowledged in the new epoch is there once; what the old one acknowledged went with it.
    expect(ids.toSorted()).toEqual(acks.filter((ack) => ack.epoch === epoch).map(({ id }) => id).toSorted());
    for (const index of publishers.keys()) {
      const counts = ids.filter((id) => id.startsWith(`${index}-`)).map((id) => Number(id.split("-")[1]));
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    }
    await vi.waitFor(() => {
      for (const client of publishers) expect(roomOf(client).state.getSnapshot()).toEqual(ids);
    }, patience);
  });
});
