import { createClient, webSocketTransport, type Client } from "@tutti/client";
import { TuttiError, type Position } from "@tutti/protocol";
import type { RandomStream } from "@tutti/testkit";
import { WebSocket } from "ws";
import { contract, type Tally } from "../durable/contract.js";
import { urlOf } from "../loopback.js";

/** What a subscriber saw of a feed: an event at its position, or that some cannot be had any more. */
export type Sighting = { readonly epoch: string; readonly seq: number; readonly id: string } | "gap";

/** What became of a publish. `open` while it is under way; `unknown` where the client says that it may have landed. */
export type Fate = { readonly position: Position } | "open" | "refused" | "unknown";

const attemptsMax = 1e6;
const reconnectDelaysMs = [250, 500, 1_000, 2_000];
/** As many as may wait while nobody answers; a person stops before. */
const openMax = 40;

const transport = webSocketTransport({ WebSocket });

/** Somebody who reads and publishes in a feed and on a board, and is present there. */
export class Guest {
  readonly name: string;
  readonly room: string;
  readonly seen: Sighting[] = [];
  /** What became of what was published in the feed, by id, in its order. */
  readonly feedFates = new Map<string, Fate>();
  readonly boardFates = new Map<string, Fate>();
  readonly #client: Client<typeof contract>;
  readonly #chance: RandomStream;
  #timer: NodeJS.Timeout | undefined;
  #open = 0;

  constructor({ port, name, room, chance }: { readonly port: number; readonly name: string; readonly room: string; readonly chance: RandomStream }) {
    this.name = name;
    this.room = room;
    this.#chance = chance;
    this.#client = createClient({ url: urlOf(port), contract, transport, reconnectDelaysMs, reconnectJitterMs: 500, reconnectAttemptsMax: attemptsMax });
  }

  get #feed() {
    return this.#client.channel("feed:{id}", { id: this.room });
  }

  get #board() {
    return this.#client.channel("board:{id}", { id: this.room });
  }

  /** Resolves when both channels are live. */
  async enter(): Promise<void> {
    this.#feed.on("gap", () => this.seen.push("gap"));
    this.#feed.on("item:add", ({ position: { epoch, seq }, payload: { id } }) => this.seen.push({ epoch, seq, id }));
    await Promise.all([this.#feed.subscribe(), this.#board.subscribe({ presence: { state: { name: this.name } } })]);
  }

  /** Publishes about once in so long, in the feed and on the board in turn, until {@link rest}. */
  publishEvery(ms: number): void {
    const next = (): void => {
      this.#publish();
      this.#timer = setTimeout(next, this.#chance.between(0.5, 1.5) * ms);
    };
    this.#timer = setTimeout(next, this.#chance.next() * ms);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  /** Whether everything that was published has ended one way or the other. */
  get isSettled(): boolean {
    return this.#open === 0;
  }

  /** The last that was seen of the feed. */
  get last(): Sighting | undefined {
    return this.seen.at(-1);
  }

  tally(): { readonly position: Position | undefined; readonly state: Tally } {
    return { position: this.#board.state.position(), state: this.#board.state.canonical() };
  }

  /** The names of those who are present and not away, each once, in order; `undefined` where not all are known. */
  people(): readonly string[] | undefined {
    const { complete, people } = this.#board.presence.getSnapshot();
    if (!complete) return undefined;
    return people.flatMap(({ devices }) => devices.filter(({ away }) => !away).map(({ state }) => state.name)).toSorted();
  }

  /** Hears who leaves. */
  onLeave(listener: (name: string) => void): void {
    this.#board.on("presence:leave", ({ state }) => listener(state.name));
  }

  leave(): Promise<void> {
    this.rest();
    return this.#client.close();
  }

  #publish(): void {
    if (this.#open >= openMax) return;
    const fates = this.feedFates.size <= this.boardFates.size ? this.feedFates : this.boardFates;
    const channel = fates === this.feedFates ? this.#feed : this.#board;
    const id = `${this.name}-${fates.size}`;
    fates.set(id, "open");
    this.#open += 1;
    channel
      .publish("item:add", { id })
      .then(
        ({ position }) => fates.set(id, { position }),
        (error: unknown) => fates.set(id, error instanceof TuttiError && error.code === "OUTCOME_UNKNOWN" ? "unknown" : "refused"),
      )
      .finally(() => {
        this.#open -= 1;
      });
  }
}
