import { TuttiError, SERVER_DEPTH_MAX, jsonCodec, type Environment, type LastSeen, type Position, type Rewind, type WireError } from "@tutti/protocol";
import {
  nodeEnvironment,
  type AppendRequest,
  type Broker,
  type BrokerHealth,
  type EventRun,
  type Head,
  type IdempotencyKey,
  type Keep,
  type Outcome,
  type Page,
  type PublisherCount,
  type ReadOptions,
  type StoredSnapshot,
} from "@tutti/server";
import { Appends } from "./appends.js";
import { countArgs, lifetimeMs, lookupArgs, retentionArgs } from "./arguments.js";
import { ClusterRequests, memberAt, type ClusterOptions } from "./cluster-link.js";
import { Deliveries } from "./deliveries.js";
import { encodeId, idText } from "./event-text.js";
import { Feeds, type Seen } from "./feeds.js";
import { Names } from "./keys.js";
import { Line, pauseMsAfter } from "./line.js";
import type { Connect, DeliveryLink, RequestLink } from "./link.js";
import { settingsOf, type RedisBrokerOptions, type Settings } from "./options.js";
import { unavailable } from "./redis-error.js";
import { readFlag, readHead, readOutcome, readPage, readSeen, readSettled, readSnapshot, type HeadReply } from "./replies.js";
import { Requests } from "./requests.js";
import { scriptsOf, type PublishVerb, type Script, type Scripts } from "./scripts/script.js";
import { checkServers } from "./server-check.js";
import { ServerDeliveries, ServerRequests, ShardDeliveries, withConnectTimeout } from "./server-link.js";
import { Watchdog } from "./watchdog.js";

/**
 * The log, the bus and the shelf for snapshots of many nodes, in Redis 7 or newer: one server or a cluster. It resolves once it is connected and Redis was
 * looked at, so that what is wrong with an address, a password or a user's rights is said when a node starts; from then on it reconnects by
 * itself, and `health` says whether it is connected.
 *
 * What is acknowledged is as durable as Redis is: with `appendfsync always` and no fail-over it is on the disk; else a restart, or a replica that takes over,
 * may lack the latest events. Channels that lost some begin a new epoch, and subscribers are told of the gap.
 *
 * A request that ends with `UNAVAILABLE` may still happen. Asking again with the same publisher's count or idempotency key tells, and never doubles;
 * an event with neither may land twice when it is appended again. Nothing that was not sent when its request was rejected is sent later. On a
 * cluster, events of a channel that are under way while its slot moves may land in another order than they were appended in, those without a
 * publisher's count.
 *
 * Rejects with `UNAVAILABLE` where Redis cannot be reached or refuses its user, and `VERSION_UNSUPPORTED` where it is too old.
 *
 * @example
 * const broker = await redisBroker({ url: "redis://localhost:6379" });
 * const server = createServer({ contract, broker });
 * server.attach(http.listen(8080));
 * // At the end, after the server:
 * await broker.close();
 *
 * @example
 * // A cluster, with TLS and a user whose rights end at `canvas:`.
 * await redisBroker({ cluster: ["rediss://10.0.0.1:7000", "rediss://10.0.0.2:7000"], client: { username: "canvas", password }, prefix: "canvas" });
 */
export async function redisBroker(options: RedisBrokerOptions): Promise<Broker> {
  const broker = new RedisBroker(options);
  try {
    await broker.open();
  } catch (error) {
    await broker.close();
    throw unavailable(error);
  }
  return broker;
}

/** Names for epochs; those of one process never meet another's. */
class EpochSource {
  readonly #base: string;
  #count = 0;

  constructor(environment: Environment) {
    this.#base = environment.id().slice(0, 8);
  }

  /** One for each call, since a script may need one: few do. */
  next(): string {
    return this.#base + (this.#count++).toString(36);
  }
}

class RedisBroker implements Broker {
  readonly #settings: Settings;
  readonly #names: Names;
  readonly #scripts: Scripts;
  readonly #publish: PublishVerb;
  readonly #epochs: EpochSource;
  readonly #requestLine: Line<RequestLink>;
  readonly #requests: Requests;
  readonly #appends: Appends;
  readonly #deliveries: Deliveries;
  readonly #feeds: Feeds;
  readonly #watchdog: Watchdog;
  #isClosed = false;

  constructor(options: RedisBrokerOptions) {
    const settings = settingsOf(options);
    const { environment = nodeEnvironment() } = options;
    const { log, connectTimeoutMs, requestTimeoutMs, watchdogMs } = settings;
    this.#settings = settings;
    this.#names = new Names(settings.prefix);
    this.#publish = options.cluster === undefined ? "PUBLISH" : "SPUBLISH";
    this.#scripts = scriptsOf(settings, this.#publish);
    this.#epochs = new EpochSource(environment);
    const servers = serversOf(options, settings, environment);
    const look = (): void => this.#feeds.look();
    const resumed = (): void => {
      look();
      this.#watchdog.callAgain();
    };
    this.#requestLine = new Line({
      environment,
      log,
      name: "requests",
      connect: servers.requests,
      connectTimeoutMs,
      prepareTimeoutMs: requestTimeoutMs,
      prepare: (link) => (this.#publish === "PUBLISH" ? loadScripts(link, this.#scripts) : Promise.resolve()),
      resumed,
    });
    // Deliveries go the same way, and a connection that is silent does not say so by itself.
    this.#requests = new Requests(environment, this.#requestLine, settings, (reason) => this.#deliveries.renewAll(reason));
    this.#appends = new Appends({
      environment,
      keysOf: (channel) => this.#names.channel(channel),
      placeOf: options.cluster === undefined ? () => "the server" : (channel) => channel,
      requests: this.#requests,
      send: (batch) => this.#send(this.#scripts.append, batch.keys(), batch.args(settings.deduplicationMs), batch.count),
    });
    this.#deliveries = new Deliveries({
      environment,
      log,
      connectTimeoutMs,
      timeoutMs: requestTimeoutMs,
      requestLine: this.#requestLine,
      connect: servers.deliveries,
      locate: (topic) => this.#requests.send(topic, ["EXISTS", topic]),
      resumed,
      followed: look,
    });
    this.#feeds = new Feeds({
      environment,
      log,
      deliveries: this.#deliveries,
      nameOf: (channel) => this.#names.runs(channel),
      lastEvent: (channel, seen, isBroken) => this.#lastEvent(channel, seen, isBroken),
    });
    this.#watchdog = new Watchdog({
      environment,
      names: this.#names,
      publish: this.#publish,
      requests: this.#requests,
      requestLine: this.#requestLine,
      deliveries: this.#deliveries,
      watchdogMs,
      recovered: look,
    });
  }

  async open(): Promise<void> {
    await this.#requestLine.open();
    await checkServers(this.#requestLine.link, this.#settings.log);
    if (this.#publish === "SPUBLISH") await loadScripts(this.#requestLine.link, this.#scripts);
    await this.#deliveries.open();
    this.#watchdog.start();
  }

  async append(channel: string, request: AppendRequest): Promise<Outcome> {
    this.#assertOpen();
    return this.#appends.append(channel, request, this.#feeds.seen(channel));
  }

  async refuse(channel: string, publisher: PublisherCount, error: WireError): Promise<Outcome> {
    const text = jsonCodec.encode([error], SERVER_DEPTH_MAX);
    const args = [...countArgs(publisher), text, lifetimeMs(undefined, this.#settings.deduplicationMs)];
    return readSettled(await this.#run(channel, this.#scripts.refuse, args));
  }

  async lookup(channel: string, id: PublisherCount | IdempotencyKey): Promise<Outcome | undefined> {
    return readOutcome(await this.#run(channel, this.#scripts.lookup, lookupArgs(id)));
  }

  async read(channel: string, after: LastSeen, { countMax }: ReadOptions): Promise<Page> {
    const isChecked = after.eventId !== undefined;
    const reply = await this.#run(channel, this.#scripts.read, [after.epoch, String(after.seq), encodeId(after.eventId), String(countMax), isChecked ? "1" : ""]);
    return readPage(reply, after, countMax);
  }

  async head(channel: string): Promise<Head> {
    return this.#head(channel, this.#feeds.seen(channel), { isBroken: false, wantsLast: false });
  }

  heads(channels: readonly string[]): Promise<readonly Head[]> {
    // In one write for each server.
    return Promise.all(channels.map((channel) => this.head(channel)));
  }

  async locate(channel: string, back: Rewind): Promise<LastSeen> {
    const args = "count" in back ? ["count", String(back.count)] : ["age", String(back.ageMs)];
    return readSeen(await this.#run(channel, this.#scripts.locate, args));
  }

  async trim(channel: string, { epoch, seq }: Position, keep?: Keep): Promise<void> {
    const args = [epoch, String(seq), ...retentionArgs(keep), keep?.unsaved === true ? "1" : ""];
    // Slice by slice: a script holds up everybody.
    while (readFlag(await this.#run(channel, this.#scripts.trim, args)));
  }

  async subscribe(channel: string, listener: (run: EventRun) => void): Promise<() => Promise<void>> {
    this.#assertOpen();
    return this.#feeds.subscribe(channel, listener);
  }

  async broadcast(topic: string, message: string): Promise<void> {
    this.#assertOpen();
    const name = this.#names.topic(topic);
    await this.#requests.send(name, [this.#publish, name, message]);
  }

  async listen(topic: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    this.#assertOpen();
    return this.#deliveries.listen(this.#names.topic(topic), (message) => listener(message));
  }

  async saveSnapshot(channel: string, { position: { epoch, seq }, eventId, version, state }: StoredSnapshot): Promise<boolean> {
    const text = jsonCodec.encode([{ version, state }], SERVER_DEPTH_MAX);
    return readFlag(await this.#run(channel, this.#scripts.save, [epoch, String(seq), encodeId(eventId), text, idText(eventId)]));
  }

  async loadSnapshot(channel: string): Promise<StoredSnapshot | undefined> {
    return readSnapshot(await this.#run(channel, this.#scripts.load, []));
  }

  readonly isShared = true;

  readonly health = (): BrokerHealth => {
    const reason = this.#requestLine.trouble ?? this.#deliveries.trouble ?? this.#watchdog.trouble;
    return reason === undefined ? { status: "ready" } : { status: "unavailable", reason };
  };

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watchdog.stop();
    this.#requests.close();
    this.#requestLine.close();
    this.#deliveries.close();
    this.#feeds.clear();
  }

  /** The last event of a channel as a run, after something may have been missed. */
  async #lastEvent(channel: string, seen: Seen | undefined, isBroken: boolean): Promise<EventRun | undefined> {
    const { last } = await this.#head(channel, seen, { isBroken, wantsLast: true });
    return last;
  }

  async #head(channel: string, seen: Seen | undefined, { isBroken, wantsLast }: { isBroken: boolean; wantsLast: boolean }): Promise<HeadReply> {
    const place = seen === undefined ? ["", "0", ""] : [seen.epoch, String(seen.seq), encodeId(seen.eventId)];
    return readHead(await this.#run(channel, this.#scripts.head, [...place, isBroken ? "1" : "", wantsLast ? "1" : ""]));
  }

  #run(channel: string, script: Script, args: readonly string[]): Promise<unknown> {
    this.#assertOpen();
    // What was asked for before comes before it: a refusal must not overtake the append that it counts on.
    this.#appends.flush();
    return this.#send(script, this.#names.channel(channel), args);
  }

  #send(script: Script, keys: readonly string[], args: readonly string[], count?: number): Promise<unknown> {
    return this.#requests.run(script, keys, [this.#epochs.next(), String(this.#settings.clockAheadMs()), ...args], count);
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new TuttiError("UNAVAILABLE", { message: "the broker is closed" });
  }
}

/**
 * So that those of one channel stay in order, which those might not that find a script missing. On a cluster a connection is made when it is needed, and
 * a server that has not got them is sent them with what they are to do.
 */
async function loadScripts(link: RequestLink, scripts: Scripts): Promise<void> {
  await Promise.all(Object.values(scripts).map(({ text }) => link.sendToAll(["SCRIPT", "LOAD", text])));
}

interface Servers {
  readonly requests: Connect<RequestLink>;
  readonly deliveries: (address: string) => Connect<DeliveryLink>;
}

/** Requests and deliveries have connections of their own, so that each can be thrown away without the other. */
function serversOf(options: RedisBrokerOptions, { connectTimeoutMs }: Settings, environment: Environment): Servers {
  const client = withConnectTimeout(options.client ?? {}, connectTimeoutMs);
  if (options.cluster === undefined) {
    const server = { ...client, url: options.url };
    return { requests: (events) => new ServerRequests(server, events), deliveries: () => (events) => new ServerDeliveries(server, events) };
  }
  const cluster: ClusterOptions = { roots: options.cluster, client, addresses: options.nodeAddressMap, pauseMs: (failures) => pauseMsAfter(failures, environment) };
  return {
    requests: (events) => new ClusterRequests(cluster, events),
    deliveries: (address) => (events) => new ShardDeliveries(memberAt(address, cluster), events),
  };
}
