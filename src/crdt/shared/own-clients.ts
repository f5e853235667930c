import type { KeyValueStore } from "../persistence/port.ts";

/** The Yjs clients by which this principal has written a shared document on this device, in any tab or session. */
export interface OwnClients {
  has(client: number): boolean;
  /** Takes these up; resolves once this device remembers them, undefined where it does. */
  add(clients: readonly number[]): Promise<void> | undefined;
  /** Takes up those of other tabs: each is remembered before its first change is told to anybody. */
  refresh(): Promise<void>;
  /** Forgets one that never wrote. */
  remove(client: number): Promise<void>;
}

export interface OwnClientsOptions {
  /** The document's name. */
  name: string;
  /** The room's database. */
  records: KeyValueStore;
  /** A client could not be stored; it counts as own in this session. */
  onFailed(failure: unknown): void;
}

/** Before the keys of all documents' clients in the room's database. */
export const clientPrefix = "client/";

/** Opens the set as the room's database has it. */
export async function openOwnClients({ name, records, onFailed }: OwnClientsOptions): Promise<OwnClients> {
  const prefix = `${clientPrefix}${name}:`;
  const known = new Set<number>();
  let storing: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    for (const [key] of await records.entries(prefix)) known.add(Number(key.slice(prefix.length)));
  }

  await refresh();
  return {
    has: (client) => known.has(client),
    add(clients) {
      const fresh = clients.filter((client) => !known.has(client));
      if (fresh.length > 0) {
        for (const client of fresh) known.add(client);
        const write = records
          .write({ put: fresh.map((client) => [`${prefix}${client}`, 1]) })
          .catch(onFailed);
        const both = Promise.all([storing, write]).then(() => {
          if (storing === both) storing = undefined;
        });
        storing = both;
      }
      return storing;
    },
    refresh,
    remove: (client) => records.write({ remove: [`${prefix}${client}`] }),
  };
}
