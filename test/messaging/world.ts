import { createEmitter, createStore, type FlockError } from "../../src/base/index.ts";
import { createChains } from "../../src/crdt/history/chains.ts";
import { createHistory } from "../../src/crdt/history/history.ts";
import type { Documents, Pen } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { consumerName } from "../../src/messaging/filter/filter.ts";
import {
  type ConsumerStart,
  type GapHandler,
  type HandlerContext,
  type MessageFilter,
  openConsumer,
  type ReceivedMessage,
} from "../../src/messaging/index.ts";
import type { Presence, RegisterRecord } from "../../src/protocol/index.ts";
import { createScriptedPages } from "../crdt/history-lane.ts";
import { readPage, writePage } from "../crdt/lanes.ts";
import { createManualClock } from "../refstore/manual-clock.ts";

export { settle } from "../crdt/fake-relay.ts";

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
    /** Something arrives in a writer's lane: a message unless `kind` says otherwise. */
    arrive(from: string, body: object, { kind = "message", clock }: { kind?: string; clock?: number } = {}) {
      const lane = lanes.get(from) ?? { page: writePage(0, 7), updates: [] };
      lanes.set(from, lane);
      lane.updates.push(
        lane.page.append({
          bodies: [{ schemaVersion: "1.0", content: null, type: "QUERY", ...body } as never],
          kind,
          ...(clock !== undefined && { clock }),
        }),
      );
      log.take(from, readPage(lane.page.name, lane.updates));
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
        onGap,
      }: {
        filter?: MessageFilter;
        name?: string;
        resumed?: boolean;
        start?: ConsumerStart;
        onGap?: GapHandler;
        handle?: (message: ReceivedMessage, context: HandlerContext) => unknown;
      } = {},
    ) {
      here.add(id);
      if (!records.has(id)) records.set(id, { version: 1, since: 1, capabilities: [], consumers: {} });
      const writer = {
        id,
        register: () => records.get(id),
        setRegister: (record: RegisterRecord) => publish(id, record),
      } as unknown as Pen;
      const handled: string[] = [];
      const key = consumerName(filter, name);
      const stop = openConsumer({
        name: key,
        filter,
        start,
        onGap,
        writer,
        resumed,
        documents,
        clock,
        resolve: async (message) => message as ReceivedMessage,
        onProblem: (error) => problems.push(error),
        async handler(message, context) {
          handled.push(`${JSON.stringify(message.content)} ${context.attempt}`);
          await handle(message, context);
        },
      });
      return { handled, stop, key, position: (lane: string) => records.get(id)?.consumers[key]?.lanes[lane] };
    },
  };
}
