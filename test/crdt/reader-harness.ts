import { onTestFinished } from "vitest";
import * as Y from "yjs";
import type { FlockError } from "../../src/base/index.ts";
import { openDocuments } from "../../src/crdt/documents.ts";
import { defaultRetention, type OpenTabChannel, type Retention } from "../../src/crdt/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { Persistence } from "../../src/crdt/persistence/port.ts";
import { type LaneMarks, type RegisterRecord, registerName } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { createFakeRelay, settle } from "./fake-relay.ts";
import { createScriptedPages, type ScriptedPages } from "./history-lane.ts";
import { random } from "./writer-harness.ts";

export const theirs = "ann.planner.AAAAAAAAAAA";

/** A register as its writer would write it, again and again. */
export function writeRegister(writer = theirs) {
  const document = new Y.Doc();
  return {
    name: registerName(writer),
    update(record: Partial<RegisterRecord> & { lane?: LaneMarks } = {}): Uint8Array {
      const before = Y.encodeStateVector(document);
      document.getMap("r").set("v", { version: 1, since: 1, capabilities: [], consumers: {}, ...record });
      return Y.encodeStateAsUpdate(document, before);
    },
  };
}

/** A replica that reads, with the relay in the test's hands. */
export async function openReader({
  persistence = createInMemoryPersistence(),
  pages = createScriptedPages(),
  retention = defaultRetention,
  principal = "anon",
  startMs = 1_000,
  openTabChannel = undefined,
  hasRelay = true,
}: {
  persistence?: Persistence;
  pages?: ScriptedPages;
  retention?: Retention;
  principal?: string;
  startMs?: number;
  openTabChannel?: OpenTabChannel | undefined;
  hasRelay?: boolean;
} = {}) {
  const relay = createFakeRelay();
  const clock = createManualClock(startMs);
  const problems: FlockError[] = [];
  const documents = await openDocuments({
    room: "team",
    principal,
    prefix: "room/",
    persistence,
    clock,
    random,
    relay: hasRelay
      ? { url: "ws://relay.example", openSocket: relay.openSocket, tokens: undefined }
      : undefined,
    pages,
    retention,
    openTabChannel,
  });
  onTestFinished(() => documents.close());
  documents.problems.on((problem) => problems.push(problem));
  let channel = 4;
  return {
    documents,
    relay,
    clock,
    problems,
    pages,
    persistence,
    /** What the relay tells of a document. */
    async tell(name: string, update: Uint8Array): Promise<void> {
      const own = channel++;
      relay.last.send(
        { type: "name", channel: own, name },
        { channel: own, message: { type: "update", update } },
        { type: "cursor", sequence: channel },
      );
      await settle();
    },
    /** The pages of a writer that are in the log, by number. */
    live: (writer = theirs) => documents.log.pages(writer).map(({ name }) => name.number),
    bodies: (writer = theirs) =>
      documents.log.pages(writer).flatMap(({ entries }) => entries.map(({ body }) => body)),
    /** The documents that the database has rows of. */
    async stored(): Promise<string[]> {
      await documents.flush();
      const rows = await (await persistence.open("room/records")).entries("update/");
      return [...new Set(rows.map(([key]) => key.slice("update/".length, key.lastIndexOf("/"))))];
    },
    async rows(): Promise<number> {
      await documents.flush();
      return (await (await persistence.open("room/records")).entries("update/")).length;
    },
  };
}

export type Reader = Awaited<ReturnType<typeof openReader>>;
