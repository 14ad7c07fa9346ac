import { TuttiError } from "@tutti/protocol";
import { createClient, type Client } from "@tutti/client";
import { SimulatedLifecycle, type Participant, type RandomStream, type SimulatedStorage } from "@tutti/testkit";
import { contract, wishes, type Item, type SimulationContract } from "./contract.js";
import { ADDRESS } from "./cluster.js";
import { isPolled, linkOf } from "./links.js";
import type { ClientGuardsOff } from "./profiles.js";
import type { PublishRecord } from "./record.js";
import type { Scene } from "./scene.js";
import { boardSeat, feedSeat, type Seat } from "./seat.js";

export const QUEUE_COUNT_MAX = 200;
const FILLER = "x".repeat(3_000);

export interface PageOptions {
  readonly name: string;
  readonly user: string;
  /** The browser's, and which of its tabs this is. */
  readonly storage: SimulatedStorage;
  readonly tab: string;
  readonly guards: ClientGuardsOff;
}

/** A page with a client in it, subscribed to all channels, that writes down all that it sees. */
export class Page {
  readonly user: string;
  readonly tab: string;
  readonly process: Participant;
  readonly client: Client<SimulationContract>;
  /** One for each channel. */
  readonly seats: readonly Seat[];
  readonly publishes: PublishRecord[] = [];
  readonly #scene: Scene;
  /** How often it has published to each channel. */
  readonly #counts = new Map<string, number>();
  readonly #lifecycle = new SimulatedLifecycle();

  constructor(scene: Scene, { name, user, storage, tab, guards: { age, ...guards } }: PageOptions) {
    this.user = user;
    this.#scene = scene;
    this.tab = tab;
    this.process = scene.newProcess(name);
    const { network, weather } = scene;
    const link = weather.linkOf(name);
    if (isPolled(link)) scene.hasPolled = true;
    const { transport, codec } = linkOf({ name: link, network, page: this.process, codec: weather.codecOf(name) });
    this.client = createClient({
      url: `ws://${ADDRESS}/v1/connect`,
      contract,
      token: scene.issuer.tokensOf(user, this.process),
      // Somebody whose page is never welcomed publishes all the same.
      owner: user,
      environment: this.process,
      codec,
      transport,
      storage: storage.open(this.process, tab),
      lifecycle: this.#lifecycle,
      reconnectDelaysMs: [1_000, 2_000, 4_000, 8_000, 15_000],
      queueCountMax: QUEUE_COUNT_MAX,
      ...(age === false && { queueAgeMsMax: Number.MAX_SAFE_INTEGER }),
      guards,
    });
    const { clock } = scene;
    const note = (text: () => string): void => clock.trace.note(clock.nowMs, name, text);
    const witness = { actor: name, note, nowMs: () => clock.nowMs, session: () => this.client.connection.getSnapshot().session };
    this.seats = [boardSeat(witness, this.client), feedSeat(witness, this.client)];
  }

  get queueCount(): number {
    return this.client.pending.getSnapshot().count;
  }

  /** Subscribes to everything. */
  open(): void {
    for (const seat of this.seats) void seat.sit();
  }

  /** Gone without a word. */
  stop(): void {
    this.process.stop();
    for (const connection of this.#scene.network.connections()) if (connection.client === this.process) connection.cut("page gone");
    this.#scene.setOffline(this.process, false);
    for (const publish of this.publishes) publish.isOrphaned = true;
  }

  goOffline(): void {
    this.#scene.setOffline(this.process, true);
    for (const connection of this.#scene.network.connections()) if (connection.client === this.process) connection.lose();
    this.#lifecycle.tell((events) => events.offline());
  }

  comeOnline(): void {
    this.#scene.setOffline(this.process, false);
    this.#lifecycle.tell((events) => events.online());
  }

  /** Stands still; where it is told, it hears so before and after. */
  freeze(forMs: number, isTold: boolean): void {
    if (isTold) this.#lifecycle.tell((events) => events.frozen());
    this.process.freeze(forMs);
    if (isTold) this.wake();
  }

  wake(): void {
    this.process.defer(() => this.#lifecycle.tell((events) => events.resumed()));
  }

  /** Goes into the back-forward cache, and comes back from there. */
  hide(forMs: number): void {
    this.#lifecycle.tell((events) => events.pageHide());
    this.process.freeze(forMs);
    this.process.defer(() => this.#lifecycle.tell((events) => events.pageShow()));
  }

  /** Closed for ever, as a person closes a tab: it is told. */
  close(): void {
    this.#lifecycle.tell((events) => events.pageHide());
    this.stop();
  }

  /** Connects again where the server sent the user away. */
  comeBack(): void {
    const { status, reason } = this.client.connection.getSnapshot();
    if (status === "disconnected" && reason?.code === "KICKED") this.client.connect();
  }

  publish(seat: Seat, random: RandomStream): void {
    const item: Item = {
      token: this.#nameNext(seat.channel),
      wish: random.chance(0.7) ? "plain" : random.pick(wishes),
      ...(random.chance(this.#scene.fillerChance) && { filler: FILLER }),
    };
    const record: PublishRecord = { channel: seat.channel, item, user: this.user, isOrphaned: false, result: { result: "pending" } };
    this.publishes.push(record);
    seat.publish(item, random.chance(0.05)).then(
      ({ position, eventId }) => (record.result = { result: "acked", position, eventId }),
      (error: unknown) => (record.result = { result: "refused", code: error instanceof TuttiError ? error.code : String(error) }),
    );
  }

  /** Names a publish by its page: `ada.2/board:1/7`. */
  #nameNext(channel: string): string {
    const count = (this.#counts.get(channel) ?? 0) + 1;
    this.#counts.set(channel, count);
    return `${this.process.name}/${channel}/${count}`;
  }
}
