import { createWrite, type Write, type WriteStages } from "../../crdt/index.ts";
import { everyone, parseEntryId } from "../../protocol/index.ts";
import { type LayeredStore, whenRemote } from "../../refstore/index.ts";
import type { Addressed } from "../delivery/delivery.ts";

/** A message that was sent: in the room's list here, on its way elsewhere. */
export interface SentMessage extends Write {
  readonly id: string;
}

/** Who can tell how far a message has come. */
export interface SentPorts {
  refs: Pick<LayeredStore, "state" | "onChange">;
  /** Resolves when the addressee has passed the message. */
  delivered(message: Addressed, signal?: AbortSignal): Promise<void>;
}

/** What is to be known of a message to tell how far it has come. */
export interface SentParts {
  readonly type: string;
  readonly to?: string | undefined;
  readonly reference?: { readonly id: string } | undefined;
}

/** The handle of a message; nothing is made for its stages until somebody asks. */
export function sentMessage(
  ports: SentPorts,
  id: string,
  { type, to, reference }: SentParts,
  entry: Pick<WriteStages, "local" | "relayed">,
): SentMessage {
  return {
    id,
    settled(stage, options) {
      const stages: WriteStages = {
        local: entry.local,
        // Without its bytes at the relay a message is of no use to anybody elsewhere.
        relayed: reference
          ? async (signal) =>
              void (await Promise.all([entry.relayed(), whenRemote(ports.refs, reference.id, { signal })]))
          : entry.relayed,
      };
      if (to !== undefined && to !== everyone) {
        stages.delivered = (signal) =>
          ports.delivered({ id, writer: parseEntryId(id)?.writer ?? "", type, to }, signal);
      }
      return createWrite(stages).settled(stage, options);
    },
  };
}
