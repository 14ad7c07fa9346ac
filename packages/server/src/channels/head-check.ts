import type { Head } from "../broker/broker.js";
import type { Services } from "../services.js";
import type { Channel } from "./channel.js";

/** How many channels are looked at in a turn, and the heads of how many asked for in one request: a fraction of a millisecond's work. */
const LOOKED_AT_MAX = 256;

/** Compares the heads of quiet channels with the log's: a lost last event is followed by nothing that would show the hole. */
export class HeadCheck {
  readonly #services: Services;
  #isUnderWay = false;

  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * Looks at channels, some in each turn, since there may be a hundred thousand; those that are behind have read the log before the next are looked at.
   * Nothing while another look is under way. Never rejects: what could not be asked for is logged once, and asked for the next time.
   */
  async look(channels: Iterable<Channel>): Promise<void> {
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    const { turn, log } = this.#services;
    let hasFailed = false;
    for (const quiet of quietOf(channels)) {
      try {
        await this.#compare(quiet);
      } catch (error) {
        if (!hasFailed) log.warn("looking at the heads of quiet channels failed", { error });
        hasFailed = true;
      }
      await turn.next();
    }
    this.#isUnderWay = false;
  }

  async #compare(quiet: readonly Channel[]): Promise<void> {
    const [first] = quiet;
    if (first === undefined) return;
    const heads = await this.#headsOf(quiet, first.name);
    const reads: Promise<void>[] = [];
    for (let index = 0; index < quiet.length; index++) {
      const head = heads[index];
      const read = head && quiet[index]?.endLook(head);
      if (read !== undefined) reads.push(read);
    }
    if (reads.length > 0) await Promise.all(reads);
  }

  async #headsOf(quiet: readonly Channel[], first: string): Promise<readonly Head[]> {
    const { broker, brokerWatch } = this.#services;
    try {
      const heads = await broker.heads(quiet.map(({ name }) => name));
      brokerWatch.worked("heads");
      return heads;
    } catch (error) {
      brokerWatch.failed("heads", first, error);
      throw error;
    }
  }
}

/** Those to be asked about, by turn; none of them in a turn whose channels are all busy. */
function* quietOf(channels: Iterable<Channel>): Generator<readonly Channel[]> {
  let quiet: Channel[] = [];
  let count = 0;
  for (const channel of channels) {
    if (channel.beginLook()) quiet.push(channel);
    if (++count % LOOKED_AT_MAX !== 0) continue;
    yield quiet;
    quiet = [];
  }
  yield quiet;
}
