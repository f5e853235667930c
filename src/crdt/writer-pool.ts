import * as Y from "yjs";
import { FlockError, parseWriterId, randomId, type Undo, writerId } from "../base/index.ts";
import type { EntryAddress, RegisterRecord } from "../protocol/index.ts";
import type { KeyValueStore, Persistence } from "./persistence/port.ts";
import { openWriter, type Writer, type WriterOptions } from "./writer.ts";

/** A writer, and whether it had a past on this device. */
export interface OpenedWriter {
  writer: Writer;
  resumed: boolean;
  /** Lanes of which it knows that nobody elsewhere has read them, although it was not resumed. */
  knownLanes?: ReadonlySet<string>;
}

/** The writers of this replica: those of its agents, and closed ones whose unsent entries it sends. */
export interface WriterPool {
  open(agent: string): Promise<OpenedWriter>;
  /** Its agent has closed; the writer stays at hand until the pool closes. */
  release(writer: string): void;
  isOpen(writer: string): boolean;
  owns(name: string): boolean;
  register(writer: string): RegisterRecord | undefined;
  registers(): Iterable<[writer: string, record: RegisterRecord]>;
  documents(): Iterable<[name: string, document: Y.Doc]>;
  stateVectors(): [name: string, stateVector: Uint8Array][];
  /** The link is up: uploads go on, those of closed writers included. */
  joined(epoch: string): void;
  /** Another tab is gone, and what it left unsent is this one's to send. */
  tabLeft(): void;
  /** How far an entry of a writer that is open here has come; undefined for any other. */
  stageOf(address: EntryAddress): "pending" | "local" | "relayed" | undefined;
  resync(writer: string, name: string, stateVector: Uint8Array): void;
  readonly pending: number;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface WriterPoolOptions extends Omit<WriterOptions, "id" | "records"> {
  principal: string;
  prefix: string;
  persistence: Persistence;
  /** The room's database, which lists the writers of this device. */
  records: KeyValueStore;
  onStored(name: string, update: Uint8Array): void;
  onRegisterChanged(writer: string): void;
  /** The writers of agents that are open here have changed. */
  onWriters(writers: readonly string[]): void;
}

const listPrefix = "writer/";
/** A goodbye may overtake the release of its sender's locks. */
const lockFreeAfterMs = 500;

/** The writers that this device has databases of. */
export async function listWriters(records: KeyValueStore): Promise<string[]> {
  return (await records.entries(listPrefix)).map(([key]) => key.slice(listPrefix.length));
}

interface Pooled {
  writer: Writer;
  /** Whether an agent has it open. */
  open: boolean;
  /** Whether it is here only to be sent. */
  adopted: boolean;
  release: Undo;
}

/** Creates an empty pool. */
export function createWriterPool(options: WriterPoolOptions): WriterPool {
  const { principal, prefix, persistence, records, clock, random, link } = options;
  const pooled = new Map<string, Pooled>();
  let closed = false;
  let cancelAdoption: Undo = () => {};
  /** The epoch of the relay's storage; empty before the first join. */
  let relayEpoch = "";
  /** One at a time, so that two agents never reach for one writer. */
  let turn: Promise<unknown> = Promise.resolve();

  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const next = turn.then(task, task);
    turn = next.catch(() => undefined);
    return next;
  }

  async function take(id: string, open: boolean, release: Undo): Promise<Pooled> {
    try {
      return await openPooled(id, open, release);
    } catch (failure) {
      release();
      throw failure;
    }
  }

  async function openPooled(id: string, open: boolean, release: Undo): Promise<Pooled> {
    const store = await persistence.open(`${prefix}writer/${id}`);
    let made: Pooled | undefined;
    const writer = await openWriter({
      ...options,
      id,
      records: store,
      onPending() {
        options.onPending();
        if (made?.adopted && made.writer.pending === 0) void inTurn(letGo).catch(reportFailure);
      },
    });
    writer.stored.on(({ name, update }) => options.onStored(name, update));
    writer.registerChanged.on(() => options.onRegisterChanged(id));
    made = { writer, open, adopted: !open, release };
    pooled.set(id, made);
    if (link?.status.get() === "online") writer.joined(relayEpoch);
    return made;
  }

  function tell(): void {
    options.onWriters([...pooled].filter(([, { open }]) => open).map(([id]) => id));
  }

  async function open(agent: string): Promise<OpenedWriter> {
    if (closed)
      throw new FlockError("crdt/closed", `The room is closed: no writer of ${agent} can be opened.`);
    for (const id of await listWriters(records)) {
      const parts = parseWriterId(id);
      if (parts?.agent !== agent || parts.principal !== principal) continue;
      const present = pooled.get(id);
      if (present?.open) continue;
      if (present) {
        present.open = true;
        present.adopted = false;
        tell();
        return { writer: present.writer, resumed: true };
      }
      const release = await persistence.tryLock(`${prefix}writer/${id}`);
      if (!release) continue;
      const { writer } = await take(id, true, release);
      tell();
      return { writer, resumed: true };
    }
    const id = writerId({ principal, agent, nonce: randomId(random) });
    const release = await persistence.tryLock(`${prefix}writer/${id}`);
    await records.write({ put: [[`${listPrefix}${id}`, {}]] });
    const { writer } = await take(id, true, release ?? (() => {}));
    tell();
    return { writer, resumed: false };
  }

  /** Sends what closed tabs left unsent; a writer with nothing unsent is let go at once. */
  async function adopt(): Promise<void> {
    for (const id of await listWriters(records)) {
      if (closed || pooled.has(id)) continue;
      const release = await persistence.tryLock(`${prefix}writer/${id}`);
      if (release) await take(id, false, release);
    }
    await letGo();
  }

  async function letGo(): Promise<void> {
    for (const [id, { writer, adopted, release }] of pooled) {
      if (!adopted || writer.pending > 0) continue;
      pooled.delete(id);
      await writer.close();
      release();
    }
  }

  function reportFailure(failure: unknown): void {
    options.onProblem(
      failure instanceof FlockError
        ? failure
        : new FlockError("crdt/storage-failed", "The writers of this device can't be read.", {
            cause: failure,
          }),
    );
  }

  return {
    open: (agent) => inTurn(() => open(agent)),
    release(id) {
      const present = pooled.get(id);
      if (!present?.open) return;
      present.open = false;
      tell();
      options.onRegisterChanged(id);
    },
    isOpen: (id) => pooled.get(id)?.open ?? false,
    owns: (name) => [...pooled.values()].some(({ writer }) => writer.owns(name)),
    register: (id) => pooled.get(id)?.writer.register(),
    *registers() {
      for (const [id, { writer }] of pooled) {
        const record = writer.register();
        if (record) yield [id, record];
      }
    },
    *documents() {
      for (const { writer } of pooled.values()) yield* writer.documents();
    },
    stateVectors() {
      return [...this.documents()].map(([name, document]) => [name, Y.encodeStateVector(document)]);
    },
    joined(epoch) {
      relayEpoch = epoch;
      for (const { writer } of pooled.values()) writer.joined(epoch);
      void inTurn(adopt).catch(reportFailure);
    },
    tabLeft() {
      if (closed) return;
      cancelAdoption();
      cancelAdoption = clock.after(lockFreeAfterMs, () => {
        if (link?.status.get() === "online") void inTurn(adopt).catch(reportFailure);
      });
    },
    resync: (id, name, stateVector) => pooled.get(id)?.writer.resync(name, stateVector),
    stageOf: ({ writer, page, index }) => pooled.get(writer)?.writer.stageOf(page, index),
    get pending() {
      let pending = 0;
      for (const { writer } of pooled.values()) pending += writer.pending;
      return pending;
    },
    async flush() {
      for (const { writer } of pooled.values()) await writer.flush();
    },
    async close() {
      closed = true;
      cancelAdoption();
      await turn;
      for (const { writer, release } of pooled.values()) {
        await writer.close();
        release();
      }
      pooled.clear();
    },
  };
}
