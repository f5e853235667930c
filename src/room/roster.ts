import { createStore, parseWriterId, type Store } from "../base/index.ts";
import type { Documents } from "../crdt/index.ts";

/** A writer of an agent, as its register and presence tell. */
export interface AgentInfo {
  readonly writer: string;
  readonly name: string;
  readonly principal: string;
  readonly capabilities: readonly string[];
  /** Whether a replica that has it open is present. */
  readonly online: boolean;
  /** Whether it is open in this replica. */
  readonly here: boolean;
}

/** Everyone who ever joined, and has neither left for good nor been dropped, by name. */
export interface Roster extends Store<readonly AgentInfo[]> {
  close(): void;
}

/** Opens the roster; changes of one tick are told together. */
export function openRoster(documents: Documents): Roster {
  const store = createStore<readonly AgentInfo[]>([]);
  let scheduled = false;

  function refresh(): void {
    scheduled = false;
    const online = new Set(documents.presence.others.get().flatMap(({ writers }) => writers));
    const infos: AgentInfo[] = [];
    for (const [writer, { capabilities, left }] of documents.registers()) {
      const parts = parseWriterId(writer);
      if (!parts || left) continue;
      const here = documents.isHere(writer);
      infos.push({
        writer,
        name: parts.agent,
        principal: parts.principal,
        capabilities,
        online: here || online.has(writer),
        here,
      });
    }
    infos.sort((a, b) => (a.name === b.name ? (a.writer < b.writer ? -1 : 1) : a.name < b.name ? -1 : 1));
    if (JSON.stringify(infos) !== JSON.stringify(store.get())) store.set(Object.freeze(infos));
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(refresh);
  }

  const stops = [documents.registerChanged.on(schedule), documents.presence.others.subscribe(schedule)];
  refresh();
  return {
    get: store.get,
    subscribe: store.subscribe,
    close() {
      for (const stop of stops) stop();
    },
  };
}
