import type { Broker } from "@tutti/server";

/**
 * The methods of a broker, which may be of a class, as an object of their own: for one that differs in some.
 *
 * @example
 * const broker = { ...boundBroker(memoryBroker()), read: () => Promise.reject(new TuttiError("UNAVAILABLE")) };
 */
export function boundBroker(log: Broker): Broker {
  return {
    append: (...of) => log.append(...of),
    refuse: (...of) => log.refuse(...of),
    lookup: (...of) => log.lookup(...of),
    read: (...of) => log.read(...of),
    head: (...of) => log.head(...of),
    heads: (...of) => log.heads(...of),
    locate: (...of) => log.locate(...of),
    trim: (...of) => log.trim(...of),
    subscribe: (...of) => log.subscribe(...of),
    broadcast: (...of) => log.broadcast(...of),
    listen: (...of) => log.listen(...of),
    saveSnapshot: (...of) => log.saveSnapshot(...of),
    loadSnapshot: (...of) => log.loadSnapshot(...of),
    close: () => log.close(),
    ...(log.isShared !== undefined && { isShared: log.isShared }),
  };
}
