import { type Clock, type RandomBytes, systemClock, systemRandom, type Undo } from "../base/index.ts";
import {
  createInMemoryPersistence,
  createWebSocketOpener,
  defaultLaneLimits,
  type LaneLimits,
  type OpenSocket,
  type OpenTabChannel,
  openBroadcastChannel,
  openIndexedDbPersistence,
  type Persistence,
  type WebSocketConstructor,
} from "../crdt/index.ts";
import { createInMemoryStore, type LocalReferenceStore, openIndexedDbStore } from "../refstore/index.ts";
import type { StorageManagerPort } from "./storage.ts";

/** What a room uses of the machine it runs on. Each has a default; tests and the simulator hand in their own. */
export interface RoomPlatform {
  /** Default: IndexedDB, or memory where there is none or it is refused. */
  persistence?: Persistence;
  /** Opens the store that keeps references on this device, under a name. Default as for `persistence`. */
  openReferences?: (name: string) => Promise<LocalReferenceStore>;
  /** Says how full storage is, and asks to keep it. Default: `navigator.storage` where it exists. */
  storage?: StorageManagerPort;
  /** Default: the platform's WebSocket. */
  openSocket?: OpenSocket;
  /** Or only the class to use, `ws` in Node 20, which has none. */
  WebSocket?: WebSocketConstructor;
  /** Default: BroadcastChannel where storage is durable; false for none. */
  openTabChannel?: OpenTabChannel | false;
  /** Tells when the browser goes offline and comes back. Default: its `online` and `offline` events. */
  watchConnectivity?: (listener: (online: boolean) => void) => Undo;
  /** Tells when the page goes away. Default: its `pagehide` event. */
  watchDeparture?: (listener: () => void) => Undo;
  fetch?: typeof globalThis.fetch;
  clock?: Clock;
  random?: RandomBytes;
  /** How long the pages of lanes become, and how much of a lane stays live. For tests: smaller ones seal sooner. */
  lanes?: Partial<LaneLimits>;
}

/** The platform with every default in place. */
export interface ResolvedPlatform {
  persistence: Persistence;
  openReferences(name: string): Promise<LocalReferenceStore>;
  storage: StorageManagerPort | undefined;
  openSocket: OpenSocket | undefined;
  openTabChannel: OpenTabChannel | undefined;
  watchConnectivity(listener: (online: boolean) => void): Undo;
  watchDeparture(listener: () => void): Undo;
  fetch: typeof globalThis.fetch | undefined;
  clock: Clock;
  random: RandomBytes;
  lanes: LaneLimits;
}

/** Puts the defaults in place. Storage that is refused is no error: the room says `memory-only`. */
export async function resolvePlatform(platform: RoomPlatform): Promise<ResolvedPlatform> {
  const persistence = platform.persistence ?? (await defaultPersistence());
  const WebSocketClass = platform.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
  return {
    persistence,
    openReferences: platform.openReferences ?? ((name) => openDefaultReferences(persistence, name)),
    // Absent in insecure contexts, and in Node.
    storage: platform.storage ?? (globalThis.navigator?.storage as StorageManagerPort | undefined),
    openSocket: platform.openSocket ?? (WebSocketClass && createWebSocketOpener(WebSocketClass)),
    openTabChannel:
      platform.openTabChannel === false
        ? undefined
        : (platform.openTabChannel ?? (persistence.durable ? openBroadcastChannel : undefined)),
    watchConnectivity: platform.watchConnectivity ?? watchBrowser,
    watchDeparture: platform.watchDeparture ?? watchPage,
    fetch: platform.fetch,
    clock: platform.clock ?? systemClock,
    random: platform.random ?? systemRandom,
    lanes: { ...defaultLaneLimits, ...platform.lanes },
  };
}

async function defaultPersistence(): Promise<Persistence> {
  try {
    if (globalThis.indexedDB) {
      return await openIndexedDbPersistence({
        indexedDB: globalThis.indexedDB,
        locks: globalThis.navigator?.locks as LockManager | undefined,
      });
    }
  } catch {
    // Refused, as in some private windows: `status.storage` says memory-only.
  }
  return createInMemoryPersistence();
}

async function openDefaultReferences(persistence: Persistence, name: string): Promise<LocalReferenceStore> {
  return persistence.durable ? openIndexedDbStore(name) : createInMemoryStore();
}

function watchBrowser(listener: (online: boolean) => void): Undo {
  if (typeof globalThis.addEventListener !== "function" || !globalThis.document) return () => {};
  const online = (): void => listener(true);
  const offline = (): void => listener(false);
  globalThis.addEventListener("online", online);
  globalThis.addEventListener("offline", offline);
  return () => {
    globalThis.removeEventListener("online", online);
    globalThis.removeEventListener("offline", offline);
  };
}

function watchPage(listener: () => void): Undo {
  if (typeof globalThis.addEventListener !== "function" || !globalThis.document) return () => {};
  globalThis.addEventListener("pagehide", listener);
  return () => globalThis.removeEventListener("pagehide", listener);
}
