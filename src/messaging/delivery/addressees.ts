import type { Undo } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import { agentOf, type LanePosition, parseEntryId } from "../../protocol/index.ts";
import { isDone } from "../consumer/position.ts";
import { createCompiledFilters } from "../filter/compiled-filters.ts";
import type { CompiledFilter } from "../filter/filter.ts";
import type { Message } from "../message/message.ts";

/** A consumer that a message is for: of one agent over its writers, or of a group over its agents. */
export interface Addressee {
  readonly consumer: string;
  readonly group: string | undefined;
  /** By name. */
  readonly agents: readonly string[];
  /** Whether one of its writers has not left for good. */
  readonly isHere: boolean;
  /** How far it is with an entry of any lane, as its registers say. */
  standingOf(id: string): Standing;
}

/** How far a consumer is with an entry. */
export interface Standing {
  /** The agent of whose register this is. */
  readonly agent: string;
  readonly isDone: boolean;
  /** Deliveries begun, while it is not done: the first of many quick ones is not counted. */
  readonly attempts: number;
}

/** Finds whom messages are for. */
export interface Addressees {
  /** By consumer and agent; nobody where no consumer is known that takes the message. */
  of(message: Message): readonly Addressee[];
  close: Undo;
}

/** A consumer in one register. */
interface Part {
  readonly consumer: string;
  readonly group: string | undefined;
  readonly agent: string;
  readonly lanes: Readonly<Record<string, LanePosition>>;
  readonly hasLeft: boolean;
  readonly filter: CompiledFilter;
  /** The same for all who share its position. */
  readonly shared: string;
}

/** Opens the addressees over a room's registers. */
export function openAddressees(
  documents: Pick<Documents, "registers" | "registerChanged" | "log">,
): Addressees {
  /** As the registers are now: many messages are asked for between two changes. */
  let parts: readonly Part[] | undefined;
  const filters = createCompiledFilters();
  const stop = documents.registerChanged.on(() => {
    parts = undefined;
  });

  function read(): readonly Part[] {
    const found: Part[] = [];
    for (const [writer, { consumers, left }] of documents.registers()) {
      const agent = agentOf(writer);
      if (agent === undefined) continue;
      for (const [name, consumer] of Object.entries(consumers)) {
        const { group, lanes } = consumer;
        found.push({
          consumer: name,
          group,
          agent,
          lanes,
          hasLeft: left === true,
          filter: filters.of(consumer, writer),
          shared: JSON.stringify(group === undefined ? [name, agent] : [name, group, "group"]),
        });
      }
    }
    return found;
  }

  function standing({ agent, lanes }: Part, id: string): Standing {
    const address = parseEntryId(id);
    const position = address && lanes[address.writer];
    if (!position) return { agent, isDone: false, attempts: 0 };
    const { writer, page, index } = address;
    const attempts = position.tries?.[id.slice(writer.length + 1)] ?? 0;
    return { agent, isDone: isDone(position, page, index, documents.log.pages(writer)), attempts };
  }

  function addresseeOf(sharing: readonly [Part, ...Part[]]): Addressee {
    const [{ consumer, group }] = sharing;
    return {
      consumer,
      group,
      agents: [...new Set(sharing.map(({ agent }) => agent))].sort(),
      isHere: sharing.some(({ hasLeft }) => !hasLeft),
      standingOf(id) {
        const standings = sharing.map((part) => standing(part, id)).sort(furthestFirst);
        return standings[0] as Standing;
      },
    };
  }

  return {
    of(message) {
      parts ??= read();
      const found = new Map<string, [Part, ...Part[]]>();
      for (const part of parts) {
        if (!part.filter.takes(message)) continue;
        const sharing = found.get(part.shared);
        if (sharing) sharing.push(part);
        else found.set(part.shared, [part]);
      }
      return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sharing]) => addresseeOf(sharing));
    },
    close: stop,
  };
}

/** Of the writers that share a position the one that is furthest tells. */
function furthestFirst(a: Standing, b: Standing): number {
  return (
    Number(b.isDone) - Number(a.isDone) ||
    b.attempts - a.attempts ||
    (a.agent < b.agent ? -1 : a.agent > b.agent ? 1 : 0)
  );
}
