import type { ServerStats } from "@tutti/server";

export interface Memory {
  readonly rssBytes: number;
  /** After a collection, where the process was started with `--expose-gc`. */
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** What a child can be asked. */
export interface ChildCommands {
  /** Starts to serve. @returns the port */
  listen(port: number): Promise<number>;
  stats(): ServerStats;
  memory(): Memory;
  /** The most that waited in all outboxes together since the last question, as seen after each publish and each turn. */
  outboxPeak(): number;
  /** Publishes `count` events with `bytes` characters each, in one turn. @returns the `seq` of the last */
  publish(channel: string, count: number, bytes: number): Promise<number>;
  /** The ids in the state of the room, in their order, and its epoch. */
  room(id: string): Promise<{ readonly epoch: string; readonly ids: readonly string[] }>;
  /** Ends the server as an application does, without ending the process. */
  close(): Promise<void>;
}

export interface Question {
  readonly serial: number;
  readonly name: keyof ChildCommands;
  readonly args: readonly unknown[];
}

export interface Answer {
  readonly serial: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Answers the questions of the process that started this one. */
export function answerQuestions(commands: ChildCommands): void {
  const byName = new Map<string, (...args: never[]) => unknown>(Object.entries(commands));
  process.on("message", ({ serial, name, args }: Question) => {
    const run = async (): Promise<unknown> => byName.get(name)?.(...(args as never[]));
    run().then(
      (value) => process.send?.({ serial, value } satisfies Answer),
      (error: unknown) => process.send?.({ serial, error: String(error) } satisfies Answer),
    );
  });
}
