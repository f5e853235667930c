import type { Documents, Entry } from "../../crdt/index.ts";
import { agentOf } from "../../protocol/index.ts";
import type { Message } from "../message/message.ts";
import { isServed } from "./consumer-positions.ts";
import { pick } from "./rendezvous.ts";

/** Which messages one of several writers, that are present and consume under one name, handles. */
export interface Share {
  /** Whether something of a lane may be this writer's. */
  mayHold(lane: string): boolean;
  /** Whether what an entry brings is this writer's: a message, or the id of one that it asks to handle again. */
  isMine(entry: Pick<Entry, "writer" | "page">, messageId: string, message: Message | undefined): boolean;
  /** Whether another writer's register bears on it. */
  isPeer(writer: string): boolean;
  /** Looks at who is here and consumes anew; tells whether those are others than before. `writer` has come or changed. */
  look(writer?: string): boolean;
}

export interface ShareOptions {
  name: string;
  group: string | undefined;
  order: "lane" | "none";
  writer: { readonly id: string };
  documents: Pick<Documents, "presence" | "register" | "registers" | "isHere" | "history">;
}

/** To pick costs a hash for each writer that is here: so many picks are kept, about a megabyte. */
const maxPicked = 10_000;

/** Creates the share of a writer. */
export function createShare({ name, group, order, writer, documents }: ShareOptions): Share {
  let present: readonly string[] = [];
  /** Writers of this replica, open now or before. */
  const own = new Set<string>();
  const picked = new Map<string, boolean>();
  const prefix = `${agentOf(writer.id)}.`;
  for (const id of documents.registers().keys()) if (documents.isHere(id)) own.add(id);

  function isPeer(id: string): boolean {
    return group !== undefined || id.startsWith(prefix);
  }

  function serves(id: string): boolean {
    return id === writer.id || (isPeer(id) && isServed(documents.register(id)?.consumers[name], group));
  }

  function look(id?: string): boolean {
    if (id !== undefined && documents.isHere(id)) own.add(id);
    const now = new Set([writer.id]);
    for (const each of own) if (documents.isHere(each) && serves(each)) now.add(each);
    for (const { writers } of documents.presence.others.get()) {
      for (const each of writers) if (serves(each)) now.add(each);
    }
    if (now.size === present.length && present.every((each) => now.has(each))) return false;
    present = [...now];
    picked.clear();
    return true;
  }

  /** The writers that are here and consume under this name. */
  function candidates(): readonly string[] {
    // This one may be another by now.
    if (!present.includes(writer.id)) look();
    return present;
  }

  /** By lane or by message; each is asked about again whenever its lane is looked at. */
  function isPicked(key: string): boolean {
    const all = candidates();
    if (all.length === 1) return true;
    const before = picked.get(key);
    if (before !== undefined) return before;
    if (picked.size >= maxPicked) picked.clear();
    const isMine = pick(all, key) === writer.id;
    picked.set(key, isMine);
    return isMine;
  }

  /**
   * The one writer that a message names, while its page is not sealed; else it is whoever's reads the lane. By the mark, as
   * some still hold live what others have to read back.
   */
  function addresseeOf(
    { writer: lane, page }: Pick<Entry, "writer" | "page">,
    { to }: Message,
  ): string | undefined {
    const isPresent = to !== undefined && candidates().includes(to);
    return isPresent && page.number >= (documents.history.marks(lane)?.low ?? 0) ? to : undefined;
  }

  return {
    mayHold: (lane) => order === "none" || isPicked(lane),
    isMine(entry, messageId, message) {
      const addressee = message && addresseeOf(entry, message);
      if (addressee !== undefined) return addressee === writer.id;
      return isPicked(order === "lane" ? entry.writer : messageId);
    },
    isPeer,
    look,
  };
}
