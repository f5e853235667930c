import { systemClock, systemRandom } from "../../src/base/index.ts";
import {
  createInMemoryPersistence,
  type Documents,
  defaultRetention,
  openDocuments,
} from "../../src/crdt/index.ts";
import { append, createPages } from "./lane.ts";

/** The documents of a room with so many live messages of one writer, without a relay. */
export async function openFilledDocuments(count: number): Promise<Documents> {
  const documents = await openDocuments({
    room: "bench",
    principal: "anon",
    prefix: "flockstate/@local/bench/anon/",
    persistence: createInMemoryPersistence(),
    clock: systemClock,
    random: systemRandom,
    relay: undefined,
    openTabChannel: undefined,
    pages: createPages(),
    retention: defaultRetention,
  });
  // Nothing of it is sealed as long as somebody needs it.
  documents.log.hold(() => true);
  const { writer } = await documents.openWriter("writer");
  await append(writer, count);
  return documents;
}
