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
import { letterKey, placeOf } from "./letter-blocks.ts";

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

/** Letters by the offsets of their messages in the block. */
export type Letters = { readonly [offset: number]: Letter };

/**
 * The dead letters of a room, by agent, consumer and block of messages. Nobody speaks for another agent's consumer; whether
 * an agent is in the group that its consumer names, registers say, which no fold may ask. Nothing is ever closed: letters are
 * kept in the snapshot instead, because pages that are held live for each open one would be most of a lane.
 */
export const deadLetterView = defineView<Letters>({
  key({ kind, body, writer }) {
    if (kind === deadLetterKind) {
      const agent = agentOf(writer);
      const death = z.safeParse(deadLetterSchema, body);
      return agent && death.success ? keyOf(death.data.messages[0], agent, death.data) : undefined;
    }
    const asked = kind === redriveKind ? z.safeParse(redriveSchema, body) : undefined;
    return asked?.success ? keyOf(asked.data.message, asked.data.agent, asked.data) : undefined;
  },
  init: () => ({}),
  step: (letters, entry) => (entry.kind === deadLetterKind ? bury(letters, entry) : raise(letters, entry)),
  snapshot: { name: "flockstate-dead-letters", version: 1 },
});

function keyOf(
  message: string | undefined,
  agent: string,
  { consumer }: { consumer: string },
): string | undefined {
  const place = message === undefined ? undefined : placeOf(message);
  return place && letterKey({ agent, consumer }, place);
}

/** A death stands until the message is asked for again: who crashed, or was apart, may say it twice. */
function bury(letters: Letters, entry: Entry): Letters {
  // What has a key fits the schema.
  const { messages, outcome, reason, attempts } = entry.body as DeadLetterBody;
  const letter = {
    outcome,
    reason,
    attempts,
    by: entry.writer,
    at: timestampToMs(entry.clock),
    entry: entry.id,
  };
  const after: { [offset: number]: Letter } = { ...letters };
  let spoken: string | undefined;
  for (const message of messages) {
    const place = placeOf(message);
    spoken ??= place?.block;
    if (!place || place.block !== spoken) continue;
    const before = letters[place.offset];
    if (!before || before.redrive) after[place.offset] = letter;
  }
  return after;
}

/** Only what is dead can be asked for again; of several who ask, the last is waited for. */
function raise(letters: Letters, entry: Entry): Letters {
  const { message } = entry.body as RedriveBody;
  const { offset } = placeOf(message) ?? {};
  const before = offset === undefined ? undefined : letters[offset];
  if (offset === undefined || !before) return letters;
  const redrive: Redrive = { by: entry.writer, at: timestampToMs(entry.clock), entry: entry.id };
  return { ...letters, [offset]: { ...before, redrive } };
}
