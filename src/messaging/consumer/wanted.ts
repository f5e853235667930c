import * as z from "zod/mini";
import type { Entry } from "../../crdt/index.ts";
import { agentOf, redriveKind, redriveSchema } from "../../protocol/index.ts";
import type { CompiledFilter } from "../filter/filter.ts";
import { type Message, readMessage } from "../message/message.ts";

/** What an entry brings a consumer: a message, or the id of one that it is to handle again. */
export type Wanted = { readonly message: Message } | { readonly redriven: string };

export interface WantedOptions {
  name: string;
  group: string | undefined;
  writer: { readonly id: string };
  compiled: CompiledFilter;
}

/** Tells what an entry brings a consumer; undefined where that is nothing. */
export function wantedOf(entry: Entry, { name, group, writer, compiled }: WantedOptions): Wanted | undefined {
  if (entry.kind === redriveKind) {
    const asked = z.safeParse(redriveSchema, entry.body);
    if (!asked.success || asked.data.consumer !== name) return undefined;
    const isMine = group !== undefined || asked.data.agent === agentOf(writer.id);
    return isMine ? { redriven: asked.data.message } : undefined;
  }
  const message = compiled.mayHold(entry) ? readMessage(entry) : undefined;
  return message && compiled.takes(message) ? { message } : undefined;
}
