import { jsonCodec } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { describe, expect, it } from "vitest";
import { Subprotocols } from "../src/transports/subprotocols.js";

const both = new Subprotocols([jsonCodec, msgpackCodec]);
const json = new Subprotocols([jsonCodec]);

describe("the subprotocols of a server", () => {
  it("HEL-9: takes the first that it has, in the order of the client", () => {
    expect(both.choose(["tutti.1.msgpack", "tutti.1.json"])).toBe("tutti.1.msgpack");
    expect(both.choose(new Set(["chat", "tutti.9.cbor", "tutti.1.json", "tutti.1.msgpack"]))).toBe("tutti.1.json");
    expect(json.choose(["tutti.1.msgpack", "tutti.1.json"])).toBe("tutti.1.json");
    expect(new Subprotocols([msgpackCodec]).choose(["tutti.1.json", "tutti.1.msgpack"])).toBe("tutti.1.msgpack");
  });

  it("HEL-9: names one of Tutti's that it lacks where it has none, and none of others", () => {
    expect(json.choose(["chat", "tutti.1.msgpack", "tutti.2.json"])).toBe("tutti.1.msgpack");
    for (const foreign of ["", "chat", "tutti", "tutti.1", "tutti.x.json", "tutti.1.", "tutti.1.a b", "TUTTI.1.JSON", "xtutti.1.json", "__proto__"]) {
      expect(json.choose([foreign])).toBeUndefined();
    }
  });

  it("HEL-9: knows the codec of those that it has", () => {
    expect(both.codecOf("tutti.1.json")).toBe(jsonCodec);
    expect(both.codecOf("tutti.1.msgpack")).toBe(msgpackCodec);
    expect(json.codecOf("tutti.1.msgpack")).toBeUndefined();
    expect(both.names).toEqual(["tutti.1.json", "tutti.1.msgpack"]);
  });
});
