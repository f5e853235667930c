import type { Agent, Message } from "flockstate";
import type { HarnessRoom } from "./state.ts";

/** What is to be said, and to whom: a topic, or an agent. */
export interface SayOptions {
  readonly count: number;
  readonly to?: string;
  /** The number in the first message's content; default 0. */
  readonly from?: number;
  /** Characters that each message carries besides its number. */
  readonly padding?: number;
  readonly conversation?: string;
}

/** Messages that are sent in one turn, and wait for each other. */
const batch = 100;
/** Later than whatever a clock here could be ahead. */
const farAheadMs = 86_400_000;

/** Sends numbered messages in turns, each settled `local`; gives their ids. */
export async function say(agent: Agent, options: SayOptions): Promise<string[]> {
  const { count, to, from = 0, padding = 0, conversation } = options;
  const address = to === undefined ? { topic: "numbers" } : { to };
  const ids: string[] = [];
  while (ids.length < count) {
    const sent = await Promise.all(
      Array.from({ length: Math.min(batch, count - ids.length) }, (_, index) =>
        agent.send({
          ...address,
          type: "STATUS",
          content: { number: from + ids.length + index, padding: "x".repeat(padding) },
          ...(conversation !== undefined && { conversation }),
        }),
      ),
    );
    await Promise.all(sent.map((message) => message.settled("local")));
    ids.push(...sent.map(({ id }) => id));
  }
  return ids;
}

/** The number that `say` put into a message; -1 where there is none. */
export function numberOf({ content }: Pick<Message, "content">): number {
  return typeof content === "object" && content !== null && "number" in content ? Number(content.number) : -1;
}

/** Every message that there ever was, read back where it is sealed, the oldest first. */
export async function readHistory(room: HarnessRoom): Promise<readonly Message[]> {
  const messages: Message[] = [];
  for await (const { message } of room.history({ order: "oldest" })) if (message) messages.push(message);
  return messages;
}

/** The same, folded at a moment after all of them. */
export async function foldHistory(room: HarnessRoom): Promise<readonly Message[]> {
  return room.at(Date.now() + farAheadMs).messages();
}

/** The names of the lanes' pages that this device has rows of. */
export async function storedPages(): Promise<string[]> {
  const pages = new Set<string>();
  for (const { name = "" } of await indexedDB.databases()) {
    const own = /\/writer\/([^/]+)$/.exec(name)?.[1];
    if (own === undefined && !name.endsWith("/records")) continue;
    for (const key of await keysOf(name)) {
      const [kind, second, third, fourth] = key.split("/");
      if (own !== undefined && kind === "page") pages.add(`lane/${own}/${second}`);
      if (kind === "update" && second === "lane") pages.add(`lane/${third}/${fourth}`);
    }
  }
  return [...pages].sort();
}

/** The state of a key as a view's snapshot on this device has it; undefined where it has none. */
export async function storedState(view: string, key: string): Promise<unknown> {
  for (const { name = "" } of await indexedDB.databases()) {
    if (!name.endsWith("/records")) continue;
    for (const part of ["live", "archived"]) {
      const stored = await withPairs(name, (pairs) => pairs.get(`view/${view}/1/${part}/=${key}`));
      if (stored !== undefined) return stored.state;
    }
  }
  return undefined;
}

async function keysOf(database: string): Promise<string[]> {
  const keys = await withPairs(database, (pairs) => pairs.getAllKeys());
  return keys.filter((key) => typeof key === "string");
}

async function withPairs<T>(database: string, work: (pairs: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const connection = await settled(indexedDB.open(database));
  try {
    return await settled(work(connection.transaction("pairs").objectStore("pairs")));
  } finally {
    connection.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
