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

  function infoOf(writer: string, online: ReadonlySet<string>): AgentInfo | undefined {
    const register = documents.register(writer);
    const parts = register && parseWriterId(writer);
    if (!parts || register.left) return undefined;
    const here = documents.isHere(writer);
    return {
      writer,
      name: parts.agent,
      principal: parts.principal,
      capabilities: register.capabilities,
      online: here || online.has(writer),
      here,
    };
  }

  function present(): Set<string> {
    return new Set(documents.presence.others.get().flatMap(({ writers }) => writers));
  }

  function refresh(): void {
    scheduled = false;
    const online = present();
    const infos = [...documents.registers().keys()].flatMap((writer) => infoOf(writer, online) ?? []);
    infos.sort((a, b) => (a.name === b.name ? (a.writer < b.writer ? -1 : 1) : a.name < b.name ? -1 : 1));
    const before = store.get();
    if (infos.length !== before.length || infos.some((info, at) => !isSame(info, before[at]))) {
      store.set(Object.freeze(infos));
    }
  }

  /** Most changes of a register are of where its consumers are. */
  function heard(writer: string): void {
    if (scheduled) return;
    const listed = store.get().find((info) => info.writer === writer);
    if (!isSame(infoOf(writer, present()), listed)) schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(refresh);
  }

  const stops = [documents.registerChanged.on(heard), documents.presence.others.subscribe(schedule)];
  refresh();
  return {
    get: store.get,
    subscribe: store.subscribe,
    close() {
      for (const stop of stops) stop();
    },
  };
}

function isSame(a: AgentInfo | undefined, b: AgentInfo | undefined): boolean {
  if (!a || !b) return a === b;
  return (
    a.writer === b.writer &&
    a.online === b.online &&
    a.here === b.here &&
    a.capabilities.length === b.capabilities.length &&
    a.capabilities.every((capability, at) => capability === b.capabilities[at])
  );
}
