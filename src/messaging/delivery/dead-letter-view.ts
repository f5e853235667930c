import * as z from "zod/mini";
import { timestampToMs } from "../../base/index.ts";
import { defineView, type Entry } from "../../crdt/index.ts";
import {
  agentOf,
  type DeadLetterBody,
  deadLetterKind,
  deadLetterSchema,
  type RedriveBody,
  redriveKind,
  redriveSchema,
} from "../../protocol/index.ts";
import { blockOf, letterKey } from "./letter-blocks.ts";

/** Who asked for a message to be handled again. */
export interface Redrive {
  /** The writer who asked. */
  readonly by: string;
  /** Milliseconds since the epoch, by that writer's clock. */
  readonly at: number;
  /** The id of the entry that says so: consumers take it as they would the message. */
  readonly entry: string;
}

/** How a consumer gave up a message, and whether it was asked since to handle it again. */
export type Letter = Pick<DeadLetterBody, "outcome" | "reason" | "attempts"> & {
  /** The writer who gave it up. */
  readonly by: string;
  /** Milliseconds since the epoch, by that writer's clock. */
  readonly at: number;
  /** The id of the entry that says so. */
  readonly entry: string;
  readonly redrive?: Redrive;
};

/** Letters by the ids of their messages. */
export type Letters = { readonly [message: string]: Letter };

/**
 * The dead letters of a room, by agent, consumer and block of messages. Nobody speaks for another agent's consumer; whether
 * an agent is in the group that its consumer names, registers say, which no fold may ask. Nothing is ever closed: letters are
 * kept in the snapshot instead, because pages that are held live for each open one would be most of a lane.
 */
export const deadLetterView = defineView<Letters>({
  key(entry) {
    if (entry.kind === deadLetterKind) {
      const death = readDeath(entry);
      return death && letterKey({ ...death, id: death.messages[0] as string });
    }
    const asked = entry.kind === redriveKind ? readRedrive(entry) : undefined;
    return asked && letterKey({ ...asked, id: asked.message });
  },
  init: () => ({}),
  step: (letters, entry) => (entry.kind === deadLetterKind ? bury(letters, entry) : raise(letters, entry)),
  snapshot: { name: "flockstate-dead-letters", version: 1 },
});

/** A death stands until the message is asked for again: who crashed, or was apart, may say it twice. */
function bury(letters: Letters, entry: Entry): Letters {
  const death = readDeath(entry);
  if (!death) return letters;
  const { messages, outcome, reason, attempts } = death;
  const block = blockOf(messages[0] as string);
  const after: Record<string, Letter> = { ...letters };
  for (const message of messages) {
    const before = letters[message];
    if (blockOf(message) !== block || (before && !before.redrive)) continue;
    after[message] = {
      outcome,
      reason,
      attempts,
      by: entry.writer,
      at: timestampToMs(entry.clock),
      entry: entry.id,
    };
  }
  return after;
}

/** Only what is dead can be asked for again; of several who ask, the last is waited for. */
function raise(letters: Letters, entry: Entry): Letters {
  const asked = readRedrive(entry);
  const before = asked && letters[asked.message];
  if (!before) return letters;
  const redrive: Redrive = { by: entry.writer, at: timestampToMs(entry.clock), entry: entry.id };
  return { ...letters, [asked.message]: { ...before, redrive } };
}

function readDeath({ body, writer }: Entry): (DeadLetterBody & { agent: string }) | undefined {
  const read = z.safeParse(deadLetterSchema, body);
  const agent = agentOf(writer);
  return read.success && agent !== undefined ? { ...read.data, agent } : undefined;
}

function readRedrive({ body }: Entry): RedriveBody | undefined {
  const read = z.safeParse(redriveSchema, body);
  return read.success ? read.data : undefined;
}
