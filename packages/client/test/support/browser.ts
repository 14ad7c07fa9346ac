import { memoryStorage, storedSessions, type ClientStorage, type HeldSession, type MemoryStorage, type StorageChange } from "../../src/index.js";
import { Stage } from "./stage.js";

type Options = ConstructorParameters<typeof Stage>[0];

/** A page with this storage, which has answered. */
export const load = (storage: ClientStorage, options: Options = {}): Promise<Stage> => new Stage({ storage, ...options }).stored();

/** The same, and welcomed. */
export const online = async (storage: ClientStorage, options: Options = {}): Promise<Stage> => (await load(storage, options)).connect().stored();

/** What a storage has of its session, once nobody holds it. */
export async function left(storage: MemoryStorage) {
  storage.abandon();
  const held = await storage.hold();
  await held.release();
  return held.stored;
}

/** A storage that fails at changes of one kind as long as it is told to, and tells of all. */
export function flawed(broken: StorageChange["kind"] | "hold", storage = memoryStorage()) {
  const written: StorageChange["kind"][] = [];
  const flaw = { isOn: true };
  const fail = (): void => {
    if (flaw.isOn) throw new Error("quota");
  };
  const flawedStorage = storedSessions({
    async hold(): Promise<HeldSession> {
      if (broken === "hold") fail();
      const held = await storage.hold();
      return {
        ...held,
        write(changes) {
          written.push(...changes.map(({ kind }) => kind));
          if (changes.some(({ kind }) => kind === broken)) fail();
          return held.write(changes);
        },
      };
    },
  });
  return { storage: flawedStorage, written, flaw };
}
