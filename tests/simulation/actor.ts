import { TuttiError } from "@tutti/protocol";
import { createClient, memoryStorage, type Client, type ClientOptions } from "@tutti/client";
import { RandomStream, SimulatedLifecycle, type Participant } from "@tutti/testkit";
import { channels, contract, wishes, type Item, type SimulationContract } from "./contract.js";
import { HOST } from "./host.js";
import type { PublishRecord } from "./record.js";
import type { Scene } from "./scene.js";
import { boardSeat, feedSeat, type Seat } from "./seat.js";

type Guards = NonNullable<ClientOptions<SimulationContract>["guards"]>;

export const QUEUE_COUNT_MAX = 200;
const FILLER = "x".repeat(3_000);

/** A person with a page, who does all that an application can do, and writes down all that it sees. */
export class Actor {
  readonly name: string;
  /** What this actor published, in its order, over all its pages. */
  readonly publishes: PublishRecord[] = [];
  /** The seats of all pages, the present ones last. */
  readonly seats: Seat[] = [];
  readonly #scene: Scene;
  readonly #random: RandomStream;
  readonly #guards: Guards;
  readonly #storage = memoryStorage();
  readonly #tokens = new Map<string, number>();
  #pageCount = 0;
  #page: Participant;
  #client: Client<SimulationContract>;
  #lifecycle = new SimulatedLifecycle();
  /** How long this actor waits between two acts, on average. */
  readonly #paceMs: number;

  constructor(scene: Scene, name: string, seed: number, guards: Guards) {
    this.name = name;
    this.#scene = scene;
    this.#guards = guards;
    this.#random = new RandomStream(seed, `acts of ${name}`);
    this.#paceMs = this.#random.between(600, 4_500);
    [this.#page, this.#client] = this.#load();
  }

  get page(): Participant {
    return this.#page;
  }

  get client(): Client<SimulationContract> {
    return this.#client;
  }

  get queueCount(): number {
    return this.#client.pending.getSnapshot().count;
  }

  /** The seats of the present page, one for each channel. */
  get presentSeats(): readonly Seat[] {
    return this.seats.slice(-channels.length);
  }

  /** Starts to act. */
  open(): void {
    this.#sitDown();
    this.#actAgain();
  }

  /** The page is gone without a word, and comes up anew with what it had stored. */
  reload(): void {
    this.#page.stop();
    for (const connection of this.#scene.network.connections()) if (connection.client === this.#page) connection.cut("page gone");
    this.#scene.setOffline(this.#page, false);
    for (const publish of this.publishes) publish.isOrphaned = true;
    this.#lifecycle = new SimulatedLifecycle();
    [this.#page, this.#client] = this.#load();
    this.open();
  }

  goOffline(forMs: number): void {
    const page = this.#page;
    this.#scene.setOffline(page, true);
    for (const connection of this.#scene.network.connections()) if (connection.client === page) connection.lose();
    this.#lifecycle.tell((events) => events.offline());
    this.#scene.later(forMs, () => this.#comeOnline(page));
  }

  /** The machine sleeps; half of them say so to their pages. */
  sleep(forMs: number): void {
    const isTold = this.#random.chance(0.5);
    if (isTold) this.#lifecycle.tell((events) => events.frozen());
    const { clock, endsAtMs } = this.#scene;
    this.#page.freeze(Math.min(forMs, endsAtMs - clock.nowMs));
    if (isTold) this.#page.defer(() => this.#lifecycle.tell((events) => events.resumed()));
  }

  resubscribe(random: RandomStream): void {
    const seat = random.pick(this.presentSeats);
    if (!seat.isTaken) void seat.sit();
    else if (random.chance(0.7)) void seat.leave().then(() => this.#page.after(random.between(0, 3_000), () => void seat.sit()));
    else void seat.leave();
  }

  /** Stops to act, and lets what is under way come to its end. */
  settle(): void {
    this.#comeOnline(this.#page);
    this.#page.defer(() => this.#lifecycle.tell((events) => events.resumed()));
  }

  #comeOnline(page: Participant): void {
    this.#scene.setOffline(page, false);
    if (page === this.#page) this.#lifecycle.tell((events) => events.online());
  }

  #load(): [Participant, Client<SimulationContract>] {
    const page = this.#scene.newProcess(this.#pageCount === 0 ? this.name : `${this.name}.${this.#pageCount + 1}`);
    this.#pageCount++;
    const client = createClient({
      url: `ws://${HOST}/v1/connect`,
      contract,
      token: this.name,
      environment: page,
      transport: this.#scene.network.transport(page),
      storage: this.#storage,
      lifecycle: this.#lifecycle,
      reconnectDelaysMs: [1_000, 2_000, 4_000, 8_000, 15_000],
      queueCountMax: QUEUE_COUNT_MAX,
      guards: this.#guards,
    });
    return [page, client];
  }

  #sitDown(): void {
    const { clock } = this.#scene;
    const note = (text: () => string): void => clock.trace.note(clock.nowMs, this.#page.name, text);
    const seats = [boardSeat(this.name, this.#client, note), feedSeat(this.name, this.#client, note)];
    this.seats.push(...seats);
    for (const seat of seats) void seat.sit();
  }

  #actAgain(): void {
    const inMs = -Math.log(1 - this.#random.next()) * this.#paceMs;
    this.#page.after(inMs, () => {
      if (this.#scene.clock.nowMs >= this.#scene.endsAtMs) return;
      this.#act();
      this.#actAgain();
    });
  }

  #act(): void {
    const random = this.#random;
    const seat = random.pick(this.presentSeats);
    const draw = random.next();
    if (draw < 0.55) this.#publish(seat);
    else if (draw < 0.65) for (let count = 2 + random.below(6); count > 0; count--) this.#publish(seat);
    else if (draw < 0.85) seat.signal(random.below(1_000));
    else if (draw < 0.95) seat.setMood(random.below(1_000));
    else seat.setMood(undefined);
  }

  #publish(seat: Seat): void {
    const random = this.#random;
    const count = (this.#tokens.get(seat.channel) ?? 0) + 1;
    this.#tokens.set(seat.channel, count);
    const item: Item = {
      token: `${this.name}/${seat.channel}/${count}`,
      wish: random.chance(0.7) ? "plain" : random.pick(wishes),
      ...(random.chance(this.#scene.fillerChance) && { filler: FILLER }),
    };
    const record: PublishRecord = { channel: seat.channel, item, isOrphaned: false, result: { result: "pending" } };
    this.publishes.push(record);
    seat.publish(item, random.chance(0.05)).then(
      ({ position, eventId }) => (record.result = { result: "acked", position, eventId }),
      (error: unknown) => (record.result = { result: "refused", code: error instanceof TuttiError ? error.code : String(error) }),
    );
  }
}
