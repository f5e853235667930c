import { FlockError } from "../../base/index.ts";
import type { Documents, WriteStage } from "../../crdt/index.ts";
import { agentOf } from "../../protocol/index.ts";
import type { IdempotencyIndex } from "./idempotency.ts";
import { type SentMessage, type SentPorts, sentMessage } from "./sent-message.ts";

export interface SentBeforeOptions extends SentPorts {
  documents: Pick<Documents, "stageOf" | "status">;
  index: Pick<IdempotencyIndex, "first">;
  /** The writer that sends now, whose agent's messages count. */
  writer(): string;
  /** Aborts when the room closes: whoever waits is told. */
  closing: AbortSignal;
}

/** Finds what an agent has sent with a key before, here or elsewhere, and gives a handle to it. */
export function createSentBefore(
  options: SentBeforeOptions,
): (key: string) => Promise<SentMessage | undefined> {
  const { documents, index, writer, closing } = options;

  /** Told by the room's status, which moves with every entry that is stored or acknowledged. */
  function reached(id: string, stage: Exclude<WriteStage, "delivered">): Promise<void> {
    return new Promise((resolve, reject) => {
      const undo = documents.status.subscribe(look);
      closing.addEventListener("abort", look);
      look();

      function look(): void {
        const now = documents.stageOf(id);
        // What a closed room says of its writers is not so.
        if (closing.aborted) {
          reject(new FlockError("crdt/closed", `The room closed before ${id} was known to be ${stage}.`));
        } else if (now === "relayed" || now === stage) resolve();
        else return;
        undo();
        closing.removeEventListener("abort", look);
      }
    });
  }

  return async (key) => {
    const first = await index.first(agentOf(writer()) ?? "", key);
    if (!first) return undefined;
    return sentMessage(options, first.id, first, {
      local: () => reached(first.id, "local"),
      relayed: () => reached(first.id, "relayed"),
    });
  };
}
