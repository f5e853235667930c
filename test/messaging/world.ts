import { createEmitter, createStore, type FlockError } from "../../src/base/index.ts";
import { createChains } from "../../src/crdt/history/chains.ts";
import { createHistory } from "../../src/crdt/history/history.ts";
import type { Documents, Pen } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { consumerName } from "../../src/messaging/filter/filter.ts";
import {
  type ConsumerOptions,
  createResponder,
  deadLetterWriter,
  type HandlerContext,
  openConsumer,
  type ReceivedMessage,
} from "../../src/messaging/index.ts";
import {
  type DeadLetterBody,
  deadLetterKind,
  type EntryRecord,
  type Presence,
  type RegisterRecord,
} from "../../src/protocol/index.ts";
import { createScriptedPages } from "../crdt/history-lane.ts";
import { readPage, writePage } from "../crdt/lanes.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

export { settle } from "../crdt/fake-relay.ts";

interface Arriving {
  kind?: string;
  clock?: number | undefined;
}

/** A room as one replica sees it, with nothing below it: tests put entries, registers and presence there. */
export function createWorld() {
  const log = createEntryLog();
  const clock = createManualClock();
  const records = new Map<string, RegisterRecord>();
  const registerChanged = createEmitter<string>();
  const others = createStore<readonly Presence[]>([]);
  const here = new Set<string>();
  const pages = createScriptedPages();
  const online = createStore(false);
  const marksOf = (writer: string) => records.get(writer)?.lane;
  const history = createHistory({ log, chains: createChains(log, pages), marksOf });
  const problems: FlockError[] = [];
  let catchUp: () => void = () => {};
  const caughtUp = new Promise<void>((resolve) => {
    catchUp = resolve;
  });
  const documents = {
    log,
    history,
    online,
    hasRelay: true,
    registerChanged,
    register: (writer: string) => records.get(writer),
    registers: () => new Map(records),
    presence: { others },
    isHere: (writer: string) => here.has(writer),
    caughtUp,
  } as unknown as Documents;

  const lanes = new Map<string, { page: ReturnType<typeof writePage>; updates: Uint8Array[] }>();

  const disk = new Map<string, RegisterRecord>();
  let flushes = 0;

  function append(
    from: string,
    bodies: readonly object[],
    { kind = "message", clock }: Arriving = {},
  ): string {
    const lane = lanes.get(from) ?? { page: writePage(0, 7), updates: [] };
    lanes.set(from, lane);
    const before = log.pages(from).at(-1)?.entries.length ?? 0;
    const batch = { bodies: bodies as never, kind, ...(clock !== undefined && { clock }) };
    lane.updates.push(lane.page.append(batch));
    log.take(from, readPage(lane.page.name, lane.updates));
    return `${from}/0-7/${before}`;
  }

  const messageOf = (body: object): object => ({
    schemaVersion: "1.0",
    ...(!("reference" in body) && { content: null }),
    type: "QUERY",
    ...body,
  });

  function publish(writer: string, record: RegisterRecord): void {
    records.set(writer, record);
    registerChanged.emit(writer);
  }

  return {
    log,
    pages,
    online,
    clock,
    records,
    problems,
    documents,
    publish,
    /** A writer's register is gone. */
    depart(writer: string) {
      records.delete(writer);
      registerChanged.emit(writer);
    },
    catchUp: () => catchUp(),
    /** Other replicas, each with these writers open. */
    present: (...writers: string[]) =>
      others.set(
        writers.map((writer, index) => ({
          session: `${index}`.padEnd(11, "S"),
          writers: [writer],
          awareness: null,
        })),
      ),
    /** Something arrives in a writer's lane: a message unless `kind` says otherwise. It gives the entry's id. */
    arrive(from: string, body: object, { kind = "message", clock }: Arriving = {}): string {
      return append(from, [kind === "message" ? messageOf(body) : body], { kind, clock });
    },
    /** Messages arrive at once. */
    arriveAll(from: string, bodies: readonly object[]): void {
      append(from, bodies.map(messageOf));
    },
    /** What was given up, as the lanes say it: `outcome attempts: messages`. */
    letters: () =>
      [...log.writers()].flatMap((writer) =>
        log
          .pages(writer)
          .flatMap(({ entries }) =>
            entries.flatMap(({ kind, body }) => (kind === deadLetterKind ? [body as DeadLetterBody] : [])),
          ),
      ),
    /** How often a register was stored. */
    get flushes() {
      return flushes;
    },
    /** The page of a writer dies: its register says what was stored. */
    kill(id: string, { stop }: { stop: () => void }): void {
      const stored = disk.get(id);
      stop();
      if (stored) publish(id, stored);
      else records.delete(id);
    },
    /** Opens a consumer of a writer; what it handles is listed as `content attempt`. */
    consume(
      id: string,
      {
        filter = {},
        name,
        resumed = true,
        handle = () => undefined,
        start = "start",
        group,
        ...others
      }: Partial<Omit<ConsumerOptions, "name" | "handler">> & {
        name?: string;
        handle?: (message: ReceivedMessage, context: HandlerContext) => unknown;
      } = {},
    ) {
      here.add(id);
      if (!records.has(id)) records.set(id, { version: 1, since: 1, capabilities: [], consumers: {} });
      const writer = {
        id,
        register: () => records.get(id),
        setRegister: (record: RegisterRecord) => publish(id, record),
        append({ kind, body }: EntryRecord) {
          const made = append(id, [body as object], { kind });
          return { id: made, shown: async () => undefined };
        },
        async flush() {
          flushes++;
          const record = records.get(id);
          if (record) disk.set(id, structuredClone(record));
        },
      } as unknown as Pen;
      const handled: string[] = [];
      const key = consumerName(filter, name, { group });
      const stop = openConsumer({
        name: key,
        filter,
        start,
        group,
        writer,
        resumed,
        documents,
        clock,
        resolve: (message) => message as ReceivedMessage,
        giveUp: deadLetterWriter(writer),
        responder: createResponder({
          writer,
          clock,
          send: () => Promise.reject(new Error("nobody answers")),
        }),
        onProblem: (error) => problems.push(error),
        handler(message, context) {
          handled.push(`${JSON.stringify(message.content)} ${context.attempt}`);
          return handle(message, context);
        },
        ...others,
      });
      return { handled, stop, key, position: (lane: string) => records.get(id)?.consumers[key]?.lanes[lane] };
    },
  };
}
