import { afterEach, describe, expect, it, vi } from "vitest";
import { pageAttention, pageMemory, pageNetwork } from "../src/transports/page.js";

afterEach(() => void vi.unstubAllGlobals());

/** A page, as far as these look at one. */
class FakePage {
  readonly document = Object.assign(new EventTarget(), { hidden: false, hasFocus: () => this.hasFocus });
  readonly window = new EventTarget();
  readonly connection = Object.assign(new EventTarget(), { type: "wifi" });
  hasFocus = true;

  constructor() {
    vi.stubGlobal("document", this.document);
    vi.stubGlobal("window", this.window);
    vi.stubGlobal("navigator", { connection: this.connection });
  }
}

describe("what a page tells of itself", () => {
  it("TRN-12 it is looked at while it is in front, and in the background while it is hidden", () => {
    const page = new FakePage();
    const attention = pageAttention();
    expect(attention.level()).toBe("looked-at");
    page.hasFocus = false;
    expect(attention.level()).toBe("unknown");
    page.document.hidden = true;
    expect(attention.level()).toBe("background");
  });

  it("TRN-12 tells of changes until nobody listens", () => {
    const page = new FakePage();
    const changed = vi.fn<() => void>();
    const stop = pageAttention().watch(changed);
    page.document.dispatchEvent(new Event("visibilitychange"));
    page.window.dispatchEvent(new Event("focus"));
    page.window.dispatchEvent(new Event("blur"));
    expect(changed).toHaveBeenCalledTimes(3);
    stop();
    page.window.dispatchEvent(new Event("focus"));
    expect(changed).toHaveBeenCalledTimes(3);
  });

  it("TRN-8 another network is one that was away, or is of another type, and not one that became slower", () => {
    const page = new FakePage();
    const changed = vi.fn<() => void>();
    const stop = pageNetwork().watch(changed);
    page.connection.dispatchEvent(new Event("change"));
    expect(changed).not.toHaveBeenCalled();
    page.connection.type = "cellular";
    page.connection.dispatchEvent(new Event("change"));
    page.connection.dispatchEvent(new Event("change"));
    expect(changed).toHaveBeenCalledTimes(1);
    page.window.dispatchEvent(new Event("offline"));
    page.window.dispatchEvent(new Event("online"));
    expect(changed).toHaveBeenCalledTimes(3);
    stop();
    page.connection.type = "wifi";
    page.connection.dispatchEvent(new Event("change"));
    page.window.dispatchEvent(new Event("online"));
    expect(changed).toHaveBeenCalledTimes(3);
  });

  it("TRN-8 does without what a platform does not have", () => {
    vi.stubGlobal("document", undefined);
    vi.stubGlobal("window", undefined);
    vi.stubGlobal("localStorage", undefined);
    expect(pageAttention().level()).toBe("unknown");
    pageAttention().watch(() => {})();
    pageNetwork().watch(() => {})();
    const memory = pageMemory();
    memory.remember("key", "value");
    expect(memory.recall("key")).toBe("");
    const page = new FakePage();
    vi.stubGlobal("navigator", {});
    const changed = vi.fn<() => void>();
    pageNetwork().watch(changed);
    page.window.dispatchEvent(new Event("online"));
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it("TRN-8 remembers in the storage of its origin", () => {
    const stored = new Map<string, string>();
    vi.stubGlobal("localStorage", { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, value: string) => void stored.set(key, value) });
    const memory = pageMemory();
    expect(memory.recall("key")).toBe("");
    memory.remember("key", "value");
    expect(pageMemory().recall("key")).toBe("value");
  });
});
