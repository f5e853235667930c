import * as z from "zod/mini";
import { FlockError, type Undo } from "../../base/index.ts";
import type { Documents, Entry } from "../../crdt/index.ts";
import { agentOf, type DeadLetterBody, deadLetterSchema } from "../../protocol/index.ts";
import { matchesRecord } from "../filter/filter.ts";
import { readMessage } from "../message/message.ts";

/** Whether a request to one agent has nobody left who would answer it. */
export interface GivenUp {
  /** A dead letter that names the request. */
  take(letter: Entry): void;
  close: Undo;
}

export interface GivenUpOptions {
  /** The request's id. */
  request: string;
  to: string | undefined;
  documents: Pick<Documents, "log" | "registers" | "registerChanged">;
  onGivenUp(failure: FlockError): void;
}

/**
 * Follows the dead letters of a request. They count of the agent that it names, and only once there is one of every
 * consumer of that agent that takes it: what was asked of several, or is merely acknowledged, may still be answered.
 */
export function createGivenUp({ request, to, documents, onGivenUp }: GivenUpOptions): GivenUp {
  const agent = to === undefined ? undefined : agentNamed(to);
  const letters = new Map<string, DeadLetterBody>();
  let stop: Undo | undefined;

  /** The names of the consumers that take it, as far as registers tell. */
  function takers(): Set<string> {
    const found = new Set<string>();
    const entry = documents.log.get(request);
    const message = entry && readMessage(entry);
    if (!message) return found;
    for (const [writer, { consumers }] of documents.registers()) {
      if (agentOf(writer) !== agent) continue;
      for (const [name, consumer] of Object.entries(consumers)) {
        if (matchesRecord(consumer.filter, message, writer, consumer)) found.add(name);
      }
    }
    return found;
  }

  function judge(): void {
    let last: DeadLetterBody | undefined;
    for (const name of takers()) {
      last = letters.get(name);
      if (!last) return;
    }
    if (!last) return;
    const { outcome, reason } = last;
    const why = `${agent} gave up ${request} (${outcome}): ${reason}`;
    const details = { request, from: agent, outcome, reason };
    onGivenUp(new FlockError("messaging/request-failed", why, { details }));
  }

  return {
    take({ writer, body }) {
      if (agent === undefined || agentOf(writer) !== agent) return;
      const letter = z.safeParse(deadLetterSchema, body);
      // When it expires, this replica's clock says.
      if (!letter.success || letter.data.outcome === "expired") return;
      letters.set(letter.data.consumer, letter.data);
      // A register may come after the lane.
      stop ??= documents.registerChanged.on(judge);
      judge();
    },
    close: () => stop?.(),
  };
}

/** The one agent that an address names, itself or by a writer; undefined where it may name several. */
function agentNamed(to: string): string | undefined {
  return agentOf(to) ?? (to.includes(".") ? to : undefined);
}
