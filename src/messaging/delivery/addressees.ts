import type { Documents } from "../../crdt/index.ts";
import { agentOf, type ConsumerRecord, type LanePosition, parseEntryId } from "../../protocol/index.ts";
import { isDone } from "../consumer/position.ts";
import { type CompiledFilter, compileFilter } from "../filter/filter.ts";
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
}

interface Part {
  agent: string;
  lanes: Readonly<Record<string, LanePosition>>;
  hasLeft: boolean;
}

/** Reads a room's registers for addressees. */
export function createAddressees(documents: Pick<Documents, "registers" | "log">): Addressees {
  /** A register is read once, however many messages are asked for; its next word has other filters. */
  const compiled = new WeakMap<ConsumerRecord["filter"], { agent: string; filter: CompiledFilter }>();

  function takes(consumer: ConsumerRecord, message: Message, agent: string, writer: string): boolean {
    const known = compiled.get(consumer.filter);
    if (known?.agent === agent) return known.filter.takes(message);
    const filter = compileFilter(consumer.filter, writer, consumer);
    compiled.set(consumer.filter, { agent, filter });
    return filter.takes(message);
  }

  function standing({ agent, lanes }: Part, id: string): Standing {
    const address = parseEntryId(id);
    const position = address && lanes[address.writer];
    if (!position) return { agent, isDone: false, attempts: 0 };
    const { writer, page, index } = address;
    const attempts = position.tries?.[id.slice(writer.length + 1)] ?? 0;
    return { agent, isDone: isDone(position, page, index, documents.log.pages(writer)), attempts };
  }

  function addresseeOf(consumer: string, group: string | undefined, parts: readonly Part[]): Addressee {
    return {
      consumer,
      group,
      agents: [...new Set(parts.map(({ agent }) => agent))].sort(),
      isHere: parts.some(({ hasLeft }) => !hasLeft),
      standingOf(id) {
        const standings = parts.map((part) => standing(part, id)).sort(furthestFirst);
        return standings[0] as Standing;
      },
    };
  }

  return {
    of(message) {
      const found = new Map<string, { consumer: string; group: string | undefined; parts: Part[] }>();
      for (const [writer, { consumers, left }] of documents.registers()) {
        const agent = agentOf(writer);
        if (agent === undefined) continue;
        for (const [name, consumer] of Object.entries(consumers)) {
          if (!takes(consumer, message, agent, writer)) continue;
          const { group, lanes } = consumer;
          // The members of a group share a position under one name.
          const key = JSON.stringify([name, group ?? null, group === undefined ? agent : null]);
          const one = found.get(key) ?? { consumer: name, group, parts: [] };
          found.set(key, one);
          one.parts.push({ agent, lanes, hasLeft: left === true });
        }
      }
      return [...found]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { consumer, group, parts }]) => addresseeOf(consumer, group, parts));
    },
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
