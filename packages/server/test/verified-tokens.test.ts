import { TuttiError } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { verifiedTokens, type User, type VerifiedTokensOptions } from "@tutti/server";
import { ManualEnvironment } from "./support/manual-environment.js";

const HOUR_MS = 3_600_000;

describe("verified tokens", () => {
  it("HEL-8 verifies a token once, and another one by itself", async () => {
    const { authenticate, verified } = counting();
    expect(await authenticate({ token: "ada" })).toMatchObject({ id: "ada" });
    expect(await authenticate({ token: "ada" })).toMatchObject({ id: "ada" });
    expect(await authenticate({ token: "bob" })).toMatchObject({ id: "bob" });
    expect(verified).toEqual(["ada", "bob"]);
  });

  it("HEL-8 verifies it again once it has run out, by whatever the verification says then", async () => {
    const { authenticate, verified, environment } = counting({ ageMsMax: 10 * HOUR_MS });
    await authenticate({ token: "ada" });
    await environment.advance(HOUR_MS - 1);
    await authenticate({ token: "ada" });
    expect(verified).toEqual(["ada"]);
    await environment.advance(1);
    await authenticate({ token: "ada" });
    expect(verified).toEqual(["ada", "ada"]);
  });

  it("HEL-8 believes a token no longer than ageMsMax, also one that never runs out", async () => {
    const { authenticate, verified, environment } = counting({ ageMsMax: 1_000 }, { expires: false });
    await authenticate({ token: "ada" });
    await environment.advance(999);
    await authenticate({ token: "ada" });
    expect(verified).toEqual(["ada"]);
    await environment.advance(1);
    await authenticate({ token: "ada" });
    expect(verified).toEqual(["ada", "ada"]);
  });

  it("HEL-8 remembers no more than countMax, the latest ones", async () => {
    const { authenticate, verified } = counting({ countMax: 2 });
    for (const token of ["ada", "bob", "cleo", "bob", "cleo", "ada"]) await authenticate({ token });
    expect(verified).toEqual(["ada", "bob", "cleo", "ada"]);
  });

  it("HEL-8 does not remember a refusal", async () => {
    let isKnown = false;
    const authenticate = verifiedTokens<User>(async (token) => {
      if (!isKnown) throw new TuttiError("TOKEN_INVALID");
      return { id: token };
    });
    await expect(authenticate({ token: "ada" })).rejects.toMatchObject({ code: "TOKEN_INVALID" });
    isKnown = true;
    expect(await authenticate({ token: "ada" })).toEqual({ id: "ada" });
  });

  it("HEL-8 does not remember a refusal by the promise of another library", async () => {
    let isKnown = false;
    const later = (token: string): PromiseLike<User> => {
      const promise = isKnown ? Promise.resolve({ id: token }) : Promise.reject(new TuttiError("UNAVAILABLE"));
      // oxlint-disable-next-line no-thenable -- queries of several database libraries are this: no Promise
      return { then: (resolve, reject) => promise.then(resolve, reject) };
    };
    const authenticate = verifiedTokens<User>(later);
    await expect(authenticate({ token: "ada" })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    isKnown = true;
    expect(await authenticate({ token: "ada" })).toEqual({ id: "ada" });
  });

  it.each<[string, VerifiedTokensOptions]>([
    ["ageMsMax", { ageMsMax: Number.NaN }],
    ["ageMsMax", { ageMsMax: -1 }],
    ["countMax", { countMax: Number.NaN }],
    ["countMax", JSON.parse('{"countMax":"10000"}')],
  ])("HEL-8 takes no %s that would bound nothing", (field, options) => {
    expect(() => counting(options)).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID", field }));
  });

  it("HEL-8 refuses who shows no token", async () => {
    const { authenticate } = counting();
    await expect(authenticate({ token: undefined })).rejects.toMatchObject({ code: "AUTHENTICATION_REQUIRED" });
  });
});

function counting(options: VerifiedTokensOptions = {}, { expires = true } = {}) {
  const environment = new ManualEnvironment();
  const verified: string[] = [];
  const authenticate = verifiedTokens<User>(
    async (token) => {
      verified.push(token);
      return { id: token, ...(expires && { expiresAt: environment.now() + HOUR_MS }) };
    },
    { ...options, environment },
  );
  return { authenticate, verified, environment };
}
