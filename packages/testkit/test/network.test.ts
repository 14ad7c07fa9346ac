import type { Link } from "@tutti/client";
import { Packet, type ServerTransport } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { Participant, SimulatedClock, SimulatedNetwork } from "../src/index.js";

interface Ends {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly client: Participant;
  readonly server: Participant;
  readonly link: Link;
  /** What the client and the server heard, in order. */
  readonly heard: { readonly client: string[]; readonly server: string[] };
  readonly transport: () => ServerTransport;
}

function open(): Ends {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork(clock, 1);
  const client = new Participant(clock, "client", 1);
  const server = new Participant(clock, "server", 1);
  const heard: Ends["heard"] = { client: [], server: [] };
  let accepted: ServerTransport | undefined;
  network.listen("host", server, (transport) => {
    accepted = transport;
    heard.server.push(`accepted ${transport.remoteAddress}`);
    return {
      message: (data) => heard.server.push(String(data)),
      alive: () => heard.server.push("alive"),
      drained: () => heard.server.push("drained"),
      closed: () => heard.server.push("closed"),
    };
  });
  const link = network.transport(client).open("ws://host/v1/connect", "tutti.1.json", {
    opened: () => heard.client.push("opened"),
    message: (data) => heard.client.push(typeof data === "string" ? data : "bytes"),
    closed: (closeCode, reason) => heard.client.push(`closed ${closeCode} ${reason}`),
  });
  const transport = (): ServerTransport => {
    if (accepted === undefined) throw new Error("not accepted");
    return accepted;
  };
  return { clock, network, client, server, link, heard, transport };
}

async function connected(): Promise<Ends> {
  const ends = open();
  await ends.clock.advance(100);
  ends.heard.client.length = 0;
  ends.heard.server.length = 0;
  return ends;
}

describe("the simulated network", () => {
  it("opens a connection, and carries messages both ways in their order", async () => {
    const { clock, link, heard, transport } = open();
    await clock.advance(100);
    const texts = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    for (const text of texts) link.send(text);
    transport().send(texts.map((text) => new Packet(text)));
    expect(heard.server).toEqual(["accepted client"]);
    await clock.advance(100);
    expect(heard.server).toEqual(["accepted client", ...texts]);
    expect(heard.client).toEqual(["opened", ...texts]);
  });

  it("refuses where nobody listens, or as it is told, and keeps silent as it is told", async () => {
    for (const reach of ["refused", "silent"] as const) {
      const { clock, network, heard } = open();
      network.reach = () => reach;
      await clock.advance(60_000);
      expect(heard.server).toEqual([]);
      expect(heard.client).toEqual(reach === "refused" ? ["closed 1006 refused"] : []);
    }
  });

  it("tells both sides of a cut, and loses what was under way", async () => {
    const { clock, network, link, heard, transport } = await connected();
    link.send("lost");
    transport().send([new Packet("lost")]);
    network.connections()[0]?.cut("cable");
    link.send("late");
    await clock.advance(100);
    expect(heard).toEqual({ client: ["closed 1006 cable"], server: ["closed"] });
    expect(network.connections()).toEqual([]);
  });

  it("tells nobody of a half-open link, until it heals", async () => {
    const { clock, network, link, heard, transport } = await connected();
    network.connections()[0]?.lose();
    link.send("lost");
    transport().send([new Packet("lost")]);
    await clock.advance(3_600_000);
    expect(heard).toEqual({ client: [], server: [] });
    network.heal();
    await clock.advance(100);
    expect(heard).toEqual({ client: ["closed 1006 healed"], server: ["closed"] });
  });

  it("fills the sender's buffer while the reader stalls, and delivers all of it afterwards", async () => {
    const { clock, network, heard, transport } = await connected();
    network.connections()[0]?.stallReader();
    const packet = new Packet("x".repeat(10_000));
    for (let count = 0; count < 10; count++) transport().send([packet]);
    await clock.advance(1000);
    expect(heard.client).toEqual([]);
    expect(transport().bufferedBytes).toBeGreaterThan(80_000);
    network.heal();
    await clock.advance(1000);
    expect(heard.client).toHaveLength(10);
    expect(transport().bufferedBytes).toBe(0);
    expect(heard.server).toEqual(["drained"]);
  });

  it("takes its time on a narrow link", async () => {
    const { clock, network, heard, transport } = open();
    network.conditions = { delayMs: [1, 1], bytesPerMs: 1 };
    await clock.advance(100);
    network.transport(new Participant(clock, "narrow", 1)).open("ws://host/", "", {
      opened: () => {},
      message: () => heard.client.push(`message at ${Math.round(clock.nowMs - sentAtMs)}`),
      closed: () => {},
    });
    await clock.advance(100);
    heard.client.length = 0;
    const sentAtMs = clock.nowMs;
    transport().send([new Packet("x".repeat(19_994))]);
    // The kernel took the rest.
    expect(transport().bufferedBytes).toBe(20_000 - 16 * 1024);
    await clock.advance(30_000);
    expect(heard.client).toEqual(["message at 20001"]);
    expect(transport().bufferedBytes).toBe(0);
  });

  it("repeats and forgets messages of a faulty node as it is told", async () => {
    const { clock, network, heard, transport } = await connected();
    network.fateOf = (message) => (message === "twice" ? "arrives twice" : message === "lost" ? "is lost" : "arrives");
    transport().send(["once", "twice", "lost", "last"].map((text) => new Packet(text)));
    await clock.advance(3000);
    expect(heard.client.filter((text) => text === "twice")).toHaveLength(2);
    expect(heard.client.filter((text) => text !== "twice")).toEqual(["once", "last"]);
  });

  it("lets a message arrive after those that were sent later", async () => {
    const { clock, network, heard, transport } = await connected();
    network.fateOf = (message) => (message === "late" ? "arrives late" : "arrives");
    transport().send(["late", "last"].map((text) => new Packet(text)));
    await clock.advance(3000);
    expect(heard.client).toEqual(["last", "late"]);
  });

  it("lets the server end it with a code, after what it sent before", async () => {
    const { clock, heard, transport } = await connected();
    transport().send([new Packet("last")]);
    transport().close(4102, "draining");
    transport().send([new Packet("too late")]);
    await clock.advance(100);
    expect(heard).toEqual({ client: ["last", "closed 4102 draining"], server: ["closed"] });
  });

  it("lets the client end it: the server hears of it, the client does not", async () => {
    const { clock, link, heard, transport } = await connected();
    link.send("last");
    link.close(1000, "");
    transport().send([new Packet("too late")]);
    await clock.advance(100);
    expect(heard).toEqual({ client: [], server: ["last", "closed"] });
  });

  it("loses a server: with a word from its machine, or without", async () => {
    for (const machine of ["kept", "gone"] as const) {
      const { clock, network, server, heard, link } = await connected();
      server.stop();
      network.connections()[0]?.loseServer(machine);
      link.send("lost");
      await clock.advance(1000);
      expect(heard.client).toEqual(machine === "kept" ? ["closed 1001 server gone"] : []);
      expect(heard.server).toEqual([]);
    }
  });

  it("routes each connection to the host that a load balancer names", async () => {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork(clock, 1);
    const accepted: string[] = [];
    for (const host of ["one", "two"]) {
      network.listen(host, new Participant(clock, host, 1), () => {
        accepted.push(host);
        return { message: () => {}, alive: () => {}, drained: () => {}, closed: () => {} };
      });
    }
    network.route = (_host, connection) => (connection.endsWith("#1") ? "two" : "one");
    const transport = network.transport(new Participant(clock, "client", 1));
    for (let count = 0; count < 2; count++) {
      transport.open("ws://balanced/", "tutti.1.json", { opened: () => {}, message: () => {}, closed: () => {} });
      await clock.advance(100);
    }
    expect(accepted).toEqual(["two", "one"]);
  });
});
