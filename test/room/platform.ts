import { createInMemoryPersistence, type OpenTabChannel, type Persistence } from "../../src/crdt/index.ts";
import type { RoomPlatform } from "../../src/index.ts";
import { createInMemoryStore } from "../../src/refstore/index.ts";
import { createFakeRelay } from "../crdt/fake-relay.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

/** What several tabs of one browser share: databases, locks and the channel between them. */
export function createBrowser({
  persistence = createInMemoryPersistence(),
}: {
  persistence?: Persistence;
} = {}) {
  const ends = new Map<string, Set<(message: unknown) => void>>();
  const openTabChannel: OpenTabChannel = (name, onMessage) => {
    const others = ends.get(name) ?? new Set();
    ends.set(name, others.add(onMessage));
    return {
      post(message) {
        for (const other of others)
          if (other !== onMessage) queueMicrotask(() => other(structuredClone(message)));
      },
      close: () => void others.delete(onMessage),
    };
  };
  return { persistence: { ...persistence, durable: true }, openTabChannel, ends };
}

/** A machine whose resources are counted: timers, sockets, locks, databases, channels. */
export function createCountingPlatform(browser = createBrowser()) {
  const clock = createManualClock();
  const relay = createFakeRelay();
  const held = { locks: 0, databases: 0, documents: 0, references: 0, watchers: 0 };
  const connectivity: { tell(online: boolean): void } = { tell: () => undefined };
  const { persistence } = browser;
  const platform: RoomPlatform = {
    clock,
    openSocket: relay.openSocket,
    openTabChannel: browser.openTabChannel,
    fetch: async () => new Response(null, { status: 404 }),
    async openReferences() {
      held.references++;
      const store = createInMemoryStore();
      return {
        ...store,
        async close() {
          held.references--;
          await store.close();
        },
      };
    },
    watchConnectivity(listener) {
      held.watchers++;
      connectivity.tell = listener;
      return () => void held.watchers--;
    },
    persistence: {
      ...persistence,
      async open(name) {
        const store = await persistence.open(name);
        held.databases++;
        let open = true;
        return {
          ...store,
          async close() {
            if (open) held.databases--;
            open = false;
            await store.close();
          },
        };
      },
      attach(name, document) {
        const store = persistence.attach(name, document);
        held.documents++;
        let open = true;
        return {
          ...store,
          async close() {
            if (open) held.documents--;
            open = false;
            await store.close();
          },
        };
      },
      async tryLock(name) {
        const release = await persistence.tryLock(name);
        if (!release) return undefined;
        held.locks++;
        let locked = true;
        return () => {
          if (locked) held.locks--;
          locked = false;
          release();
        };
      },
    },
  };
  return {
    platform,
    clock,
    relay,
    connectivity,
    browser,
    /** Everything that is held now; all zero once a room has closed. */
    held: () => ({
      ...held,
      timers: clock.delays().length,
      sockets: relay.sockets.filter(({ closed }) => !closed).length,
      channels: [...browser.ends.values()].reduce((sum, others) => sum + others.size, 0),
    }),
  };
}

export const nothing = {
  locks: 0,
  databases: 0,
  documents: 0,
  references: 0,
  watchers: 0,
  timers: 0,
  sockets: 0,
  channels: 0,
};
