/** What does not pass between a node and its broker. */
export interface LinkCut {
  /** `late`: they arrive when the link is mended, long after the node gave up on them, as what lies in a socket's buffer does. */
  readonly requests: "arrive" | "late" | "lost";
  /** Answers and deliveries. */
  readonly returns: "arrive" | "lost";
}

interface Cut extends LinkCut {
  readonly held: (() => void)[];
}

/** The link between one node and its broker, and what is cut of it. */
export class BrokerLink {
  readonly #cuts = new Set<Cut>();

  /** Whether what the broker says reaches the node. */
  get returns(): boolean {
    for (const { returns } of this.#cuts) if (returns === "lost") return false;
    return true;
  }

  /** Cuts it until the answer is called. */
  cut(cut: LinkCut): () => void {
    const made: Cut = { ...cut, held: [] };
    this.#cuts.add(made);
    return () => {
      if (!this.#cuts.delete(made)) return;
      for (const arrive of made.held) this.request(arrive);
    };
  }

  /** What is held back never arrives. */
  loseHeld(): void {
    for (const { held } of this.#cuts) held.length = 0;
  }

  /** Carries a request: whether it arrives now. `arrive` runs then, or late, or never. */
  request(arrive: () => void): boolean {
    for (const { requests, held } of this.#cuts) {
      if (requests === "arrive") continue;
      if (requests === "late") held.push(arrive);
      return false;
    }
    arrive();
    return true;
  }
}
