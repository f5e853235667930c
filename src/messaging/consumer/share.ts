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
  isMine(entry: Pick<Entry, "id" | "writer">, messageId: string, message: Message | undefined): boolean;
  /** Whether another writer's register or presence bears on it. */
  isPeer(writer: string): boolean;
  /** Somebody came, went, or changed what is consumed. */
  changed(): void;
}

export interface ShareOptions {
  name: string;
  group: string | undefined;
  order: "lane" | "none";
  writer: { readonly id: string };
  documents: Pick<Documents, "presence" | "register" | "registers" | "isHere" | "log">;
}

/** Creates the share of a writer. */
export function createShare({ name, group, order, writer, documents }: ShareOptions): Share {
  let present: readonly string[] | undefined;
  let presentTo: string | undefined;
  const picked = new Map<string, boolean>();

  function isPeer(id: string): boolean {
    return group !== undefined || agentOf(id) === agentOf(writer.id);
  }

  function serves(id: string): boolean {
    return id === writer.id || (isPeer(id) && isServed(documents.register(id)?.consumers[name], group));
  }

  /** The writers that are here and consume under this name. */
  function candidates(): readonly string[] {
    if (present && presentTo === writer.id) return present;
    presentTo = writer.id;
    picked.clear();
    const here = [...documents.registers().keys()].filter(documents.isHere);
    const elsewhere = documents.presence.others.get().flatMap(({ writers }) => writers);
    present = [...new Set([writer.id, ...[...here, ...elsewhere].filter(serves)])];
    return present;
  }

  function isPicked(key: string): boolean {
    const all = candidates();
    return all.length === 1 || pick(all, key) === writer.id;
  }

  /** Of lanes there are few, and each is asked about for each of its messages. */
  function isPickedForLane(lane: string): boolean {
    candidates();
    const before = picked.get(lane);
    if (before !== undefined) return before;
    const isMine = isPicked(lane);
    picked.set(lane, isMine);
    return isMine;
  }

  /** The one writer that a message names, while that is within reach; one that was sealed is whoever's reads the lane. */
  function addresseeOf({ to }: Message, id: string): string | undefined {
    const isPresent = to !== undefined && candidates().includes(to);
    return isPresent && documents.log.get(id) ? to : undefined;
  }

  return {
    mayHold: (lane) => order === "none" || isPickedForLane(lane),
    isMine(entry, messageId, message) {
      const addressee = message && addresseeOf(message, entry.id);
      if (addressee !== undefined) return addressee === writer.id;
      return order === "lane" ? isPickedForLane(entry.writer) : isPicked(messageId);
    },
    isPeer,
    changed() {
      present = undefined;
    },
  };
}
