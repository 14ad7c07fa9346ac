import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether there is a `curl` to follow with. */
export const hasCurl = spawnSync("curl", ["--version"]).status === 0;

/** Follows a stream of server-sent events as an `EventSource` does: what ends with an empty line has come, and its id is where to go on. */
const EVENT_STREAM = `
while :; do
  id=$(cat "$FOLDER/id" 2>/dev/null)
  curl --silent --no-buffer --header "Accept: text/event-stream" \${id:+--header "Last-Event-ID: $id"} "$URL" | while IFS= read -r line; do
    case $line in
      "id: "*) next=\${line#id: } ;;
      "data: "*) data=\${line#data: } ;;
      "") [ -n "$next" ] && printf '%s' "$next" > "$FOLDER/id"; [ -n "$data" ] && printf '%s\\n' "$data"; next=; data= ;;
    esac
  done
  sleep 0.1
done`;

/** Polls with the tag of what it has; the position that the tag names is where it goes on. */
const TAGGED_POLLS = `
tag=; query="rewind=0"
while :; do
  status=$(curl --silent --output "$FOLDER/body" --dump-header "$FOLDER/head" --write-out '%{http_code}' \${tag:+--header "If-None-Match: $tag"} "$URL?$query")
  case $status in
    200) cat "$FOLDER/body"; echo
         tag=$(tr -d '\\r' < "$FOLDER/head" | sed -n 's/^[Ee][Tt][Aa][Gg]: //p')
         query="since=$(printf '%s' "$tag" | sed 's/^W\\/"\\(.*\\)"$/\\1/')" ;;
    304) echo '{"status":304}' ;;
  esac
  sleep 0.1
done`;

type Line = Readonly<Record<string, unknown>>;

/** A shell that follows a channel with `curl`, and prints what it gets. */
export class Follower {
  readonly #shell: ChildProcess;
  readonly #folder: string;
  #text = "";

  private constructor(shell: ChildProcess, folder: string) {
    this.#shell = shell;
    this.#folder = folder;
    shell.stdout?.setEncoding("utf8").on("data", (chunk: string) => (this.#text += chunk));
  }

  static streaming(url: string): Promise<Follower> {
    return Follower.#start(EVENT_STREAM, url);
  }

  static polling(url: string): Promise<Follower> {
    return Follower.#start(TAGGED_POLLS, url);
  }

  static async #start(script: string, url: string): Promise<Follower> {
    const folder = await mkdtemp(join(tmpdir(), "tutti-follower-"));
    // In a group of its own, so that what it runs ends with it.
    const shell = spawn("sh", ["-c", script], { env: { ...process.env, URL: url, FOLDER: folder }, stdio: ["ignore", "pipe", "inherit"], detached: true });
    return new Follower(shell, folder);
  }

  /** What it has printed. */
  get lines(): readonly Line[] {
    return this.#text.split("\n").slice(0, -1).map((line) => Object(JSON.parse(line)));
  }

  async stop(): Promise<void> {
    const ended = once(this.#shell, "exit");
    if (this.#shell.pid !== undefined) process.kill(-this.#shell.pid, "SIGKILL");
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}
