import { abortable, FlockError } from "../../base/index.ts";
import type { Pen, Write } from "../../crdt/index.ts";
import { redriveKind } from "../../protocol/index.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { LetterName } from "./letter-blocks.ts";

/** The word that a message is to be handled again: in the room here, on its way elsewhere. */
export interface SentRedrive extends Write {
  /** Of the entry that says so. */
  readonly id: string;
}

/**
 * Says in a lane that a consumer is to handle a message again that it gave up.
 *
 * @throws `messaging/not-dead`, `crdt/closed`, and the signal's reason
 */
export async function redrive(
  { id, agent, consumer }: LetterName,
  {
    writer,
    deadLetters,
    signal,
  }: { writer: Pick<Pen, "append">; deadLetters: DeadLetters; signal?: AbortSignal | undefined },
): Promise<SentRedrive> {
  signal?.throwIfAborted();
  const name = { id, agent, consumer };
  if (!deadLetters.find(name)) await abortable(deadLetters.ready(), signal);
  const letter = deadLetters.find(name);
  if (!letter || letter.redrive) {
    const state = letter ? "has been redriven already" : "is none that is known here";
    throw new FlockError(
      "messaging/not-dead",
      `The dead letter ${id} of ${consumer} of ${agent} ${state}: take one from the room's \`deadLetters\`.`,
      { details: { id, agent, consumer } },
    );
  }
  const body = { message: id, agent, consumer };
  const appended = writer.append({ kind: redriveKind, parents: [id, letter.entry], body });
  await appended.shown();
  return { id: appended.id, settled: appended.settled };
}
