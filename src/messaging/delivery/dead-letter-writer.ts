import type { Pen } from "../../crdt/index.ts";
import { type DeadLetterBody, deadLetterKind, maxDeadLetters } from "../../protocol/index.ts";
import { placeOf } from "./letter-blocks.ts";

/**
 * Writes that messages were given up; resolves once that is in the log, and goes into the database before whatever is
 * written then. `restsOn` are further entries that it comes after, as the redrive by which a message was handled.
 */
export type DeadLetterWriter = (letter: DeadLetterBody, restsOn?: readonly string[]) => Promise<void>;

/** What the schema takes. */
const maxReasonLength = 1000;

/** Letters of one turn that say the same of messages of one block. */
interface Gathered {
  readonly said: Omit<DeadLetterBody, "messages">;
  readonly restsOn: readonly string[];
  readonly messages: Set<string>;
}

/** Creates the writer of an agent's dead letters; those of one turn that differ only in their messages share entries. */
export function deadLetterWriter(pen: Pick<Pen, "append">): DeadLetterWriter {
  const gathered = new Map<string, Gathered>();
  let writing: Promise<void> | undefined;

  function gather(message: string, said: Gathered["said"], restsOn: readonly string[]): void {
    const key = JSON.stringify([placeOf(message)?.block, said, restsOn]);
    const group = gathered.get(key) ?? { said, restsOn, messages: new Set() };
    gathered.set(key, group);
    group.messages.add(message);
  }

  async function write(): Promise<void> {
    await undefined;
    writing = undefined;
    const groups = [...gathered.values()];
    gathered.clear();
    await Promise.all(groups.flatMap(append));
  }

  function append({ said, restsOn, messages }: Gathered): Promise<void>[] {
    const all = [...messages];
    // All that it rests on are parents, of which an entry has as many as it names messages at most.
    const share = Math.max(1, maxDeadLetters - restsOn.length);
    const appended: Promise<void>[] = [];
    for (let from = 0; from < all.length; from += share) {
      const named = all.slice(from, from + share);
      const record = {
        kind: deadLetterKind,
        parents: [...named, ...restsOn],
        body: { ...said, messages: named },
      };
      appended.push(pen.append(record).shown());
    }
    return appended;
  }

  return ({ consumer, messages, outcome, reason, attempts }, restsOn = []) => {
    const said = { consumer, outcome, reason: reason.slice(0, maxReasonLength), attempts };
    for (const message of messages) gather(message, said, restsOn);
    writing ??= write();
    return writing;
  };
}
