import { TuttiError } from "@tutti/protocol";
import type { User } from "@tutti/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { reasonsOf, statusesOf } from "./sdk.js";
import { connected, Stage } from "./stage.js";

const patience = { timeout: 8_000, interval: 10 };
const one = { id: "one" };

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.end());

/** A token names its user, and says for how long it is good: `ada 400`. */
function authenticate({ token = "" }: { readonly token: string | undefined }): User {
  const [id = "", lifeMs] = token.split(" ");
  if (lifeMs === "expired") throw new TuttiError("TOKEN_EXPIRED");
  return lifeMs === undefined ? { id } : { id, expiresAt: Date.now() + Number(lifeMs) };
}

describe("tokens", () => {
  it("HEL-6: a token is refreshed in the connection, again and again, before it expires", async () => {
    const { server, url } = await stage.serve({ authenticate });
    let tokens = 0;
    const client = stage.guests.client(url, {
      token: () => {
        tokens++;
        return "ada 500";
      },
    });
    const statuses = statusesOf(client);
    await connected(client);
    const [before] = server.connections();
    // Four lives, while the server looks once a second for what has expired.
    await vi.waitFor(() => expect(tokens).toBeGreaterThanOrEqual(5), patience);
    expect(server.connections()).toEqual([before]);
    expect(statuses.map(({ status }) => status)).toEqual(["connecting", "connected"]);
  });

  it("CON-6: a token that has expired is fetched anew before the next attempt", async () => {
    const { url } = await stage.serve({ authenticate });
    const tokens = ["ada expired", "ada"];
    const client = stage.guests.client(url, { token: () => Promise.resolve(tokens.shift() ?? "") });
    const statuses = statusesOf(client);
    await client.channel("room:{id}", one).subscribe();
    expect(reasonsOf(statuses)).toContain("TOKEN_EXPIRED");
    expect([client.connection.getSnapshot().user, tokens]).toEqual(["ada", []]);
  });

  it("CON-6: a connection whose token could not be refreshed ends with TOKEN_EXPIRED, and comes back with the next one", async () => {
    const { server, url } = await stage.serve({ authenticate });
    const tokens = ["ada 50", new Promise<string>(() => {}), "ada"];
    const client = stage.guests.client(url, { token: () => tokens.shift() ?? "ada" });
    const statuses = statusesOf(client);
    const room = client.channel("room:{id}", one);
    const lines: string[] = [];
    room.on("line:add", ({ payload }) => lines.push(payload.id));
    await room.subscribe();
    await vi.waitFor(() => expect(reasonsOf(statuses)[0]).toBe("TOKEN_EXPIRED"), patience);
    await server.channel("room:{id}", one).publish("line:add", { id: "meanwhile" });
    await vi.waitFor(() => expect(lines).toEqual(["meanwhile"]), patience);
    expect(client.connection.getSnapshot()).toMatchObject({ status: "connected", user: "ada" });
  });

  it("HEL-6: a token of somebody else ends the connection with USER_CHANGED, for good", async () => {
    const { url } = await stage.serve({ authenticate });
    const tokens = ["ada 50", "bob"];
    const client = stage.guests.client(url, { token: () => tokens.shift() ?? "" });
    await connected(client);
    await vi.waitFor(() => expect(client.connection.getSnapshot()).toMatchObject({ status: "disconnected", reason: { code: "USER_CHANGED" } }), patience);
  });

  it("CON-6: while no token can be had the client tries again by its backoff, and gives up in the end", async () => {
    const { url } = await stage.serve({ authenticate });
    let asked = 0;
    const client = stage.guests.client(url, {
      reconnectAttemptsMax: 4,
      token: () => {
        asked++;
        return Promise.reject(new Error("the login server is down"));
      },
    });
    client.connect();
    await vi.waitFor(() => expect(client.connection.getSnapshot()).toMatchObject({ status: "failed", reason: { code: "RETRIES_EXHAUSTED" } }), patience);
    expect(asked).toBe(5);
  });
});
