import { errorRegistry } from "@tutti/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { scenarios } from "./errors/scenarios.js";
import { Stage } from "./stage.js";

let stage: Stage | undefined;

afterEach(() => stage?.end());

describe("ERR-2: every code of the registry is used by the running product", () => {
  it("ERR-2: there is a scenario for every code, and none for another", () => {
    expect(Object.keys(scenarios).toSorted()).toEqual(Object.keys(errorRegistry).toSorted());
  });

  it.each(Object.entries(scenarios))("ERR-2: %s", async (code, scenario) => {
    stage = new Stage();
    expect(await scenario(stage)).toBe(code);
  });
});
