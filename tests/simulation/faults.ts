import type { LinkCut, RandomStream } from "@tutti/testkit";
import type { Scene } from "./scene.js";

/** What may go wrong in any run. Which of it does is drawn from the seed. */
export const commonFaults = [
  "cut",
  "half-open",
  "stall",
  "refused",
  "silent",
  "slow-network",
  "narrow-network",
  "offline",
  "sleep",
  "reload",
  "resubscribe",
  "wrong-clocks",
  "server-freeze",
  "server-crash",
  "server-drain",
  "server-busy",
  "broker-slow",
  "broker-refuses",
  "broker-answers-lost",
  "broker-hangs",
  "deliveries-lost",
  "deliveries-repeated",
  "broker-restart",
  "broker-data-lost",
  "broker-rolled-back",
  "loss-noticed",
  "durable-log",
  "commit-only",
  "disk-slow",
  "disk-fails",
  "trim",
  "tiny-history",
  "frames-repeated",
  "frames-lost",
  "replies-lost",
  "replies-repeated",
  "acks-late",
  "banned",
  "kicked",
  "tokens-expire",
  "two-tabs",
  "user-changes",
  "page-cache",
  "slow-storage",
  "full-storage",
  "closed-storage",
  "month",
] as const;

/** What may go wrong where nodes tell each other something. */
const nodeFaults = ["node-freeze", "deploy", "broker-cut", "wedged", "broadcasts-lost", "broadcasts-repeated", "broadcasts-late"] as const;

/** Everything that may go wrong in a run. */
export const faultNames = [...commonFaults, ...nodeFaults];
export type FaultName = (typeof faultNames)[number];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Something that strikes now and then while the faults last. */
export interface Strike {
  readonly everyMs: readonly [low: number, high: number];
  /** How often it strikes at most. */
  readonly countMax?: number;
  /** @param random of this strike alone */
  readonly strike: (scene: Scene, random: RandomStream) => void;
}

/** A connection that is open now, if there is one. */
function anyConnection(scene: Scene, random: RandomStream) {
  const connections = scene.network.connections();
  return connections.length === 0 ? undefined : random.pick(connections);
}

/** New connections fail in this way for a while. */
function hinder(reach: "refused" | "silent"): Strike {
  return {
    everyMs: [8_000, 40_000],
    strike: (scene, random) => {
      const forMs = random.between(500, 12_000);
      scene.hinder(() => (random.chance(0.8) ? reach : "accepted"));
      scene.later(forMs, () => scene.hinder(() => "accepted"));
    },
  };
}

/** One way, the other way, and both. */
const cuts: readonly LinkCut[] = [
  { requests: "arrive", returns: "lost" },
  { requests: "lost", returns: "arrive" },
  { requests: "late", returns: "arrive" },
  { requests: "lost", returns: "lost" },
  { requests: "late", returns: "lost" },
];

/** The faults that strike; the others hold from the start. */
export const strikes: Readonly<Partial<Record<FaultName, Strike>>> = {
  cut: { everyMs: [1_000, 12_000], strike: (scene, random) => anyConnection(scene, random)?.cut("cut") },
  "half-open": { everyMs: [8_000, 40_000], strike: (scene, random) => anyConnection(scene, random)?.lose() },
  stall: {
    everyMs: [4_000, 20_000],
    strike: (scene, random) => {
      const connection = anyConnection(scene, random);
      if (random.chance(0.7)) connection?.stallReader();
      else connection?.stall();
      scene.later(random.between(500, 20_000), () => connection?.resume());
    },
  },
  refused: hinder("refused"),
  silent: hinder("silent"),
  offline: { everyMs: [6_000, 30_000], strike: (scene, random) => scene.anyActor(random)?.goOffline(random.between(500, 20_000)) },
  sleep: { everyMs: [10_000, 40_000], strike: (scene, random) => scene.anyActor(random)?.sleep(random.between(1_000, 60_000), random.chance(0.5)) },
  reload: { everyMs: [8_000, 40_000], strike: (scene, random) => scene.anyActor(random)?.reload(random) },
  resubscribe: { everyMs: [2_000, 15_000], strike: (scene, random) => scene.anyActor(random)?.resubscribe(random) },
  "wrong-clocks": {
    everyMs: [5_000, 20_000],
    strike: (scene, random) => {
      const jumpMs = random.chance(0.2) ? random.between(-3 * DAY_MS, 3 * DAY_MS) : random.between(-25 * HOUR_MS, 25 * HOUR_MS);
      const actor = scene.anyActor(random);
      const processes = random.chance(0.3) ? [scene.cluster.at(scene.cluster.anyPlace(random)).process] : (actor?.presentPages ?? []).map(({ process }) => process);
      for (const process of processes) process.jumpWallClock(jumpMs);
    },
  },
  "server-freeze": { everyMs: [10_000, 40_000], strike: ({ cluster }, random) => cluster.at(cluster.anyPlace(random)).freeze(random.between(500, 9_000)) },
  "server-crash": {
    everyMs: [10_000, 40_000],
    strike: (scene, random) => {
      const { cluster } = scene;
      const place = cluster.anyPlace(random);
      cluster.kill(place, random.chance(0.7) ? "kept" : "gone");
      scene.later(random.between(50, 8_000), () => cluster.start(place));
    },
  },
  "server-drain": {
    everyMs: [10_000, 40_000],
    strike: (scene, random) => {
      const { cluster } = scene;
      const place = cluster.anyPlace(random);
      cluster.at(place).drain(random.between(200, 3_000));
      scene.later(random.between(3_500, 8_000), () => cluster.start(place));
    },
  },
  "broker-restart": { everyMs: [8_000, 30_000], strike: (scene, random) => scene.broker.restart("kept", random.between(50, 5_000)) },
  "broker-data-lost": { everyMs: [15_000, 50_000], strike: (scene, random) => scene.broker.restart("lost", random.between(50, 3_000)) },
  "broker-rolled-back": {
    everyMs: [6_000, 30_000],
    strike: (scene, random) => scene.broker.restart({ writesLost: 1 + random.below(6) }, random.between(50, 5_000)),
  },
  "disk-fails": {
    everyMs: [5_000, 25_000],
    strike: (scene, random) => {
      if (!scene.faults.has("durable-log")) return;
      scene.disk.isFailing = true;
      scene.later(random.between(200, 8_000), () => (scene.disk.isFailing = false));
    },
  },
  trim: {
    everyMs: [2_000, 12_000],
    strike: (scene, random) => (random.chance(0.6) ? scene.trimFeed(random.below(6)) : scene.trimBoard()),
  },
  banned: {
    everyMs: [4_000, 20_000],
    strike: (scene, random) => {
      const actor = scene.anyActor(random);
      const channel = random.pick(scene.channelNames);
      const forMs = random.between(1_000, 15_000);
      if (actor === undefined) return;
      scene.cluster.ban(actor.user, channel);
      scene.later(forMs, () => scene.cluster.permits.allow(actor.user, channel));
    },
  },
  kicked: { everyMs: [6_000, 30_000], strike: (scene, random) => scene.kick(random) },
  "two-tabs": { everyMs: [1_500, 12_000], strike: (scene, random) => scene.anyActor(random)?.changeTabs(random) },
  "user-changes": { everyMs: [5_000, 25_000], strike: (scene, random) => scene.anyActor(random)?.changeUser() },
  "page-cache": { everyMs: [4_000, 20_000], strike: (scene, random) => scene.anyActor(random)?.hide(random.between(200, 15_000), random) },
  "full-storage": {
    everyMs: [4_000, 20_000],
    strike: (scene, random) => scene.anyActor(random)?.disturbStorage({ isFull: true }, random.between(200, 8_000)),
  },
  "closed-storage": {
    everyMs: [4_000, 20_000],
    strike: (scene, random) => scene.anyActor(random)?.disturbStorage({ isClosed: true }, random.between(200, 8_000)),
  },
  month: { everyMs: [3_000, 20_000], countMax: 1, strike: (scene, random) => scene.leap(random.between(1, 40) * DAY_MS, random) },
  "node-freeze": {
    everyMs: [6_000, 30_000],
    strike: (scene, random) => {
      const { cluster, clock, endsAtMs } = scene;
      const forMs = random.between(500, 30_000);
      cluster.at(cluster.anyPlace(random)).freeze(Math.min(forMs, endsAtMs - clock.nowMs));
    },
  },
  deploy: { everyMs: [4_000, 25_000], strike: (scene, random) => scene.deploy(random) },
  "broker-cut": {
    everyMs: [3_000, 15_000],
    strike: (scene, random) => {
      const { cluster, broker } = scene;
      const cut = random.pick(cuts);
      const mend = broker.cut(cluster.at(cluster.anyPlace(random)).process, cut);
      scene.later(random.between(500, 15_000), mend);
    },
  },
  wedged: {
    everyMs: [3_000, 15_000],
    strike: (scene, random) => {
      const { cluster, broker } = scene;
      const mend = broker.wedge(cluster.at(cluster.anyPlace(random)).process);
      scene.later(random.between(1_000, 25_000), mend);
    },
  },
};
