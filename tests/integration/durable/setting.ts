import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Listening } from "../processes/log-server.js";
import { Program } from "../program.js";
import { Clients } from "./clients.js";

/** Where it is published. */
export const feed = "feed:one";
export const board = "board:one";

/** A log on the disk, the processes that use it, and the clients of one test. */
export class Setting {
  readonly clients = new Clients();
  readonly place: string;
  readonly directory: string;
  readonly #programs: { kill(): Promise<void> }[] = [];

  private constructor(place: string) {
    this.place = place;
    this.directory = join(place, "log");
  }

  static async open(): Promise<Setting> {
    return new Setting(await mkdtemp(join(tmpdir(), "tutti-durable-")));
  }

  start<Message>(script: string, args: readonly string[]): Program<Message> {
    const program = Program.start<Message>(script, args);
    this.#programs.push(program);
    return program;
  }

  /** @param port a free one unless given */
  async serve(port = 0): Promise<{ readonly server: Program<Listening>; readonly port: number }> {
    const server = this.start<Listening>("log-server", [this.directory, String(port)]);
    return { server, port: (await server.next()).port };
  }

  async end(): Promise<void> {
    await this.clients.end();
    await Promise.all(this.#programs.splice(0).map((program) => program.kill()));
    await rm(this.place, { recursive: true });
  }
}
