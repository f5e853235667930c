import { onTestFinished } from "vitest";
import { openDocuments } from "../../src/crdt/documents.ts";
import { defaultLaneLimits, defaultRetention, type LaneLimits, type Pen } from "../../src/crdt/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { openDeadLetters } from "../../src/messaging/delivery/dead-letters.ts";
import { openDeliveries } from "../../src/messaging/delivery/status.ts";
import {
  type ConsumerRecord,
  type DeadLetterBody,
  type LanePosition,
  messageKind,
} from "../../src/protocol/index.ts";
import { createLocalPages } from "../crdt/pages.ts";
import { random } from "../crdt/writer-harness.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

/** A room's documents on one device, with dead letters and deliveries over them; tests write what consumers would. */
export async function openLetters({
  persistence = createInMemoryPersistence(),
  clock = createManualClock(Date.UTC(2030, 0, 1)),
  pages = createLocalPages(),
  limits = {},
}: {
  persistence?: ReturnType<typeof createInMemoryPersistence>;
  clock?: ReturnType<typeof createManualClock>;
  pages?: ReturnType<typeof createLocalPages>;
  limits?: Partial<LaneLimits>;
} = {}) {
  const documents = await openDocuments({
    room: "team",
    principal: "anon",
    prefix: "room/",
    persistence,
    clock,
    random,
    relay: undefined,
    pages,
    retention: defaultRetention,
    openTabChannel: undefined,
    limits: { ...defaultLaneLimits, ...limits },
  });
  const deadLetters = openDeadLetters(documents, clock);
  const deliveries = openDeliveries({ documents, deadLetters, clock });

  async function close(): Promise<void> {
    deliveries.close();
    deadLetters.close();
    await documents.close();
  }
  onTestFinished(close);

  return {
    documents,
    clock,
    pages,
    persistence,
    deadLetters,
    deliveries,
    close,
    async writer(agent: string): Promise<Pen> {
      const { writer } = await documents.openWriter(agent);
      writer.setRegister({ version: 1, since: 1, capabilities: [], consumers: {} });
      return writer;
    },
  };
}

/** Appends a message, and gives its id once it is in the log. */
export async function say(pen: Pen, body: object): Promise<string> {
  const message = { type: "QUERY", schemaVersion: "1.0", content: 1, ...body };
  const appended = pen.append({ kind: messageKind, parents: [], body: message });
  await appended.shown();
  return appended.id;
}

/** Says where a consumer is. */
export function publish(pen: Pen, name: string, consumer: Partial<ConsumerRecord> = {}): void {
  const record = pen.register();
  if (!record) throw new Error("the writer has no register");
  const before = record.consumers[name] ?? { filter: {}, lanes: {} };
  pen.setRegister({ ...record, consumers: { ...record.consumers, [name]: { ...before, ...consumer } } });
}

/** The position past an entry, and all before it in its page. */
export function past(id: string): { [writer: string]: LanePosition } {
  const [writer = "", page = "", index = ""] = id.split("/");
  return { [writer]: { below: 0, pages: { [page]: Number(index) + 1 } } };
}

/** The position before an entry of which deliveries were begun. */
export function tried(id: string, times: number): { [writer: string]: LanePosition } {
  const [writer = "", ...place] = id.split("/");
  return { [writer]: { below: 0, pages: {}, tries: { [place.join("/")]: times } } };
}

/** What a consumer says of messages that it gave up. */
export function death(messages: readonly string[], said: Partial<DeadLetterBody> = {}): DeadLetterBody {
  return {
    consumer: "work",
    outcome: "exhausted",
    reason: "it threw",
    attempts: 5,
    messages: [...messages],
    ...said,
  };
}
