import { subprotocolOf, type Codec } from "@tutti/protocol";

const OF_TUTTI = /^tutti\.\d+\.[\w-]+$/;

/** What a server makes of the subprotocols that a client offers. */
export class Subprotocols {
  readonly #codecs: ReadonlyMap<string, Codec>;

  constructor(codecs: readonly Codec[]) {
    this.#codecs = new Map(codecs.map((codec) => [subprotocolOf(codec.name), codec]));
  }

  /** Those that the server has. */
  get names(): readonly string[] {
    return [...this.#codecs.keys()];
  }

  /**
   * The first offered one that the server has; where it has none, the first that is Tutti's all the same, since a browser lets nobody say why under
   * a subprotocol that it did not offer. `undefined` where none is Tutti's.
   */
  choose(offered: Iterable<string>): string | undefined {
    const names = [...offered];
    return names.find((name) => this.#codecs.has(name)) ?? names.find((name) => OF_TUTTI.test(name));
  }

  /** The codec that it names; `undefined` where the server does not have it. */
  codecOf(subprotocol: string): Codec | undefined {
    return this.#codecs.get(subprotocol);
  }
}
