import * as Y from "yjs";
import { FlockError, parseWriterId, randomId, type Undo, writerId } from "../../base/index.ts";
import {
  type DocumentName,
  type EntryAddress,
  type LaneMarks,
  laneName,
  type PageName,
  type RegisterRecord,
  registerName,
} from "../../protocol/index.ts";
import type { KeyValueStore, Persistence } from "../persistence/port.ts";
import { hasDeparted } from "../retention.ts";
import { createBorrowedStore } from "./borrowed-store.ts";
import { type Clocks, clocksIn, clocksOf, exceeds } from "./clocks.ts";
import { createPen, type OwnPen, type Pen } from "./pen.ts";
import { recordsIn } from "./register.ts";
import { openWriter, type Writer, type WriterOptions } from "./writer.ts";
import { readStanding, writeForked, writeIdentity } from "./writer-identity.ts";
import { readClocks } from "./writer-records.ts";

/** What an agent writes with, and whether its writer had a past on this device. */
export interface OpenedWriter {
  writer: Pen;
  resumed: boolean;
  /** Lanes of which it knows that nobody elsewhere has read them, although it was not resumed. */
  knownLanes?: ReadonlySet<string>;
}

/** The writers of this replica: those of its agents, and closed ones whose unsent entries it sends. */
export interface WriterPool {
  /** The agent's pen: should its writer turn out to be written elsewhere too, it goes on as a new one. */
  open(agent: string): Promise<OpenedWriter>;
  /** Its agent has closed; the writer stays at hand until the pool closes. */
  release(writer: string): void;
  isOpen(writer: string): boolean;
  /** Whether a writer here has the page as a document of its own: not sealed yet. */
  isLive(writer: string, page: PageName): boolean;
  /**
   * What an update of a lane or register brings that its writer here has not written; undefined where that is nothing.
   * A writer that is met so was written elsewhere too, unless its database says otherwise: then it is frozen.
   */
  foreign(name: OwnedName, update: Uint8Array): Uint8Array | undefined;
  register(writer: string): RegisterRecord | undefined;
  /** Whether it is here and written elsewhere too, and no agent here writes in its name any more. */
  isFrozen(writer: string): boolean;
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
  /**
   * Tries again what the writers' databases refused; resolves with whether they hold all that may have gone to the relay,
   * for good or until a later write.
   */
  confirm(): Promise<boolean>;
  close(): Promise<void>;
}

/** The name of a document that one writer writes. */
export type OwnedName = Exclude<DocumentName, { kind: "shared" }>;

export interface WriterPoolOptions extends Omit<WriterOptions, "id" | "records"> {
  principal: string;
  prefix: string;
  persistence: Persistence;
  /** The room's database, which lists the writers of this device. */
  records: KeyValueStore;
  /** What came from elsewhere in the name of a writer. */
  received(writer: string): Iterable<[name: string, document: Y.Doc]>;
  onStored(name: string, update: Uint8Array): void;
  /** What this device wrote into the register of a frozen writer; what comes from elsewhere goes on from it. */
  onFrozen(writer: string, update: Uint8Array): void;
  onRegisterChanged(writer: string): void;
  /** A writer whose page is gone is here to be sent; what that page left undone may be said in its name. */
  onAdopted(writer: Pick<Writer, "id" | "append">): void;
  /** The writers of agents that are open here have changed. */
  onWriters(writers: readonly string[]): void;
}

const listPrefix = "writer/";
/** A goodbye may overtake the release of its sender's locks. */
const lockFreeAfterMs = 500;
/** A database that refused a new writer is asked for one again after this. */
const succeedAgainMs = 5_000;

/** The key under which the room's database lists a writer. */
export function listedKey(writer: string): string {
  return `${listPrefix}${writer}`;
}

/** The writers that this device has databases of. */
export async function listWriters(records: KeyValueStore): Promise<string[]> {
  return (await records.entries(listPrefix)).map(([key]) => key.slice(listPrefix.length));
}

interface Pooled {
  readonly id: string;
  readonly writer: Writer;
  readonly records: KeyValueStore;
  readonly release: Undo;
  pen: OwnPen;
  /**
   * An agent has it open; its agent has closed, or goes on as another; it is here only to be sent; or the same without
   * its lock, while it may be open elsewhere.
   */
  role: "open" | "kept" | "adopted" | "borrowed";
  /** Whether it was written elsewhere too. */
  forked: boolean;
  /** How far the lane is sealed, by the furthest word from elsewhere. */
  marks: LaneMarks | undefined;
}

/** Creates an empty pool. */
export function createWriterPool(options: WriterPoolOptions): WriterPool {
  const { principal, prefix, persistence, records, clock, random, link } = options;
  const pooled = new Map<string, Pooled>();
  let closed = false;
  /** Whether the databases of all writers that were let go hold them whole. */
  let isWhole = true;
  let cancelAdoption: Undo = () => {};
  let cancelSuccession: Undo = () => {};
  /** The epoch of the relay's storage; empty before the first join. */
  let relayEpoch = "";
  /** One at a time, so that two agents never reach for one writer. */
  let turn: Promise<unknown> = Promise.resolve();

  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const next = turn.then(task, task);
    turn = next.catch(() => undefined);
    return next;
  }

  function databaseOf(id: string): string {
    return `${prefix}writer/${id}`;
  }

  function tell(): void {
    options.onWriters([...pooled.values()].filter(({ role }) => role === "open").map(({ id }) => id));
  }

  /** Takes a writer up; `prepare` looks at its database first. What is not taken up gives its lock back. */
  async function take(
    id: string,
    role: Pooled["role"],
    release: Undo,
    prepare: (store: KeyValueStore) => Promise<{ forked: boolean } | undefined>,
  ): Promise<Pooled | undefined> {
    let store: KeyValueStore | undefined;
    try {
      store = await persistence.open(databaseOf(id));
      const prepared = await prepare(store);
      if (prepared) return await openPooled(id, { role, release, store, ...prepared });
    } catch (failure) {
      await store?.close();
      release();
      throw failure;
    }
    await store.close();
    release();
    return undefined;
  }

  async function openPooled(
    id: string,
    { role, release, store, forked }: Pick<Pooled, "role" | "release" | "forked"> & { store: KeyValueStore },
  ): Promise<Pooled> {
    let made: Pooled | undefined;
    const writer = await openWriter({
      ...options,
      id,
      records: role === "borrowed" ? createBorrowedStore(store) : store,
      frozen: forked || role === "borrowed",
      onPending() {
        options.onPending();
        if (made && isDone(made)) void inTurn(letGo).catch(reportFailure);
      },
    });
    writer.stored.on(({ name, update }) => options.onStored(name, update));
    writer.registerChanged.on(() => options.onRegisterChanged(id));
    made = { id, writer, pen: createPen(writer), records: store, role, forked, marks: undefined, release };
    pooled.set(id, made);
    if (forked) handOver(made);
    if (link?.status.get() === "online") writer.joined(relayEpoch);
    return made;
  }

  /** Makes a writer; its database names it before the list does, so that whatever is listed had one. */
  async function create(agent: string): Promise<Pooled> {
    const id = writerId({ principal, agent, nonce: randomId(random) });
    const release = await persistence.tryLock(databaseOf(id));
    const made = await take(id, "kept", release ?? (() => {}), async (store) => {
      await writeIdentity(store);
      await records.write({ put: [[listedKey(id), {}]] });
      return { forked: false };
    });
    return made as Pooled;
  }

  /** Takes up a closed writer of this device; undefined where another tab has it, or its database was lost. */
  async function adoptOne(id: string): Promise<Pooled | undefined> {
    const release = persistence.locks ? await persistence.tryLock(databaseOf(id)) : () => {};
    if (!release) return undefined;
    const adopted = await take(id, persistence.locks ? "adopted" : "borrowed", release, async (store) => {
      const standing = await readStanding(store);
      if (standing !== "lost") return { forked: standing === "forked" };
      // Its page numbers may be in use elsewhere: nobody writes in its name again.
      await records.write({ remove: [listedKey(id)] });
      return undefined;
    });
    if (adopted?.role === "adopted" && !adopted.forked && isKnownElsewhere(adopted)) await fork(adopted);
    return adopted;
  }

  async function open(agent: string): Promise<OpenedWriter> {
    if (closed)
      throw new FlockError("crdt/closed", `The room is closed: no writer of ${agent} can be opened.`);
    const before = await findFree(agent);
    const present = before ?? (await create(agent));
    present.role = "open";
    present.writer.comeBack();
    tell();
    await letGo();
    return { writer: present.pen, resumed: before !== undefined };
  }

  /** The first of an agent's writers here that nobody has open; without locks nobody can tell. */
  async function findFree(agent: string): Promise<Pooled | undefined> {
    for (const id of persistence.locks ? await listWriters(records) : []) {
      const parts = parseWriterId(id);
      if (parts?.agent !== agent || parts.principal !== principal) continue;
      const present = pooled.get(id) ?? (await adoptOne(id));
      if (present && present.role !== "open" && !present.forked && !isPast(present)) return present;
    }
    return undefined;
  }

  /** Whether others have let go of the writer: what an agent wrote on with it would rest on what nobody has. */
  function isPast({ writer }: Pooled): boolean {
    const record = writer.register();
    return record !== undefined && hasDeparted(record, options.retention, clock.now());
  }

  /** Sends what closed tabs left unsent; a writer with nothing unsent is let go at once. */
  async function adopt(): Promise<void> {
    for (const id of await listWriters(records)) {
      const adopted = closed || pooled.has(id) ? undefined : await adoptOne(id);
      if (adopted?.role === "adopted" && !adopted.forked) options.onAdopted(adopted.writer);
    }
    await letGo();
  }

  function isDone({ role, writer }: Pooled): boolean {
    return (role === "adopted" || role === "borrowed") && writer.pending === 0;
  }

  async function letGo(): Promise<void> {
    for (const each of [...pooled.values()].filter(isDone)) {
      pooled.delete(each.id);
      await closeOne(each);
    }
  }

  async function closeOne({ writer, release }: Pooled): Promise<void> {
    isWhole &&= await writer.confirm();
    await writer.close();
    release();
  }

  // Writers that were written elsewhere too ---------------------------------------------------------

  /** Clocks of one of the writer's documents that are not the writer's own doing, as far as memory tells. */
  function isUnknown({ writer }: Pooled, name: string, clocks: Clocks): boolean {
    const own = writer.document(name);
    return (own !== undefined || !writer.owns(name)) && exceeds(clocks, clocksIn(own));
  }

  function isKnownElsewhere(present: Pooled): boolean {
    for (const [name, document] of options.received(present.id)) {
      if (!isUnknown(present, name, clocksIn(document))) continue;
      if (name === registerName(present.id)) note(present, Y.encodeStateAsUpdate(document));
      return true;
    }
    return false;
  }

  /**
   * Of two who set the register at once one wins, with what it says of the lane: the furthest is kept here and, once it
   * is sure that there are two, said again.
   */
  function note(present: Pooled, update: Uint8Array): void {
    for (const { lane } of recordsIn(update)) {
      if (lane && lane.low > (present.marks?.low ?? 0)) present.marks = lane;
    }
    if (present.forked && present.marks) present.writer.keepMarks(present.marks);
  }

  function suspect(present: Pooled, name: string, clocks: Clocks): void {
    if (!present.forked) void inTurn(() => judge(present, name, clocks)).catch(reportFailure);
  }

  async function judge(present: Pooled, name: string, clocks: Clocks): Promise<void> {
    if (closed || present.forked || pooled.get(present.id) !== present) return;
    // A tab that is gone may have stored what came after this one's reading.
    const stored = await readClocks(present.id, present.records, name);
    if (exceeds(clocks, stored)) await fork(present);
  }

  /** The writer only sends from now on; its agent, if open, goes on as a new one. */
  async function fork(present: Pooled): Promise<void> {
    present.forked = true;
    present.writer.freeze();
    if (present.marks) present.writer.keepMarks(present.marks);
    handOver(present);
    await writeForked(present.records).catch(reportFailure);
    await succeed();
  }

  /** Agents whose writers are frozen go on as new ones; while the database refuses those, again after a while. */
  async function succeed(): Promise<void> {
    const frozen = [...pooled.values()].filter(({ role, forked }) => role === "open" && forked);
    try {
      for (const present of closed ? [] : frozen) await replace(present);
    } catch (failure) {
      reportFailure(failure);
      cancelSuccession();
      cancelSuccession = clock.after(succeedAgainMs, () => void inTurn(succeed));
    }
  }

  async function replace(present: Pooled): Promise<void> {
    const agent = parseWriterId(present.id)?.agent;
    if (agent === undefined) return;
    const fresh = await create(agent);
    // The agent may have closed meanwhile.
    if (!isOpen(present.id)) return;
    present.role = "kept";
    handOver(present);
    fresh.role = "open";
    fresh.pen = present.pen;
    fresh.pen.goOn(fresh.writer, clock.now());
    tell();
  }

  function handOver({ id, writer }: Pooled): void {
    const register = writer.document(registerName(id));
    if (register) options.onFrozen(id, Y.encodeStateAsUpdate(register));
  }

  function isOpen(id: string): boolean {
    return pooled.get(id)?.role === "open";
  }

  /** The writers whose documents are no other tab's to tell. */
  function* held(): Iterable<Pooled> {
    for (const each of pooled.values()) if (each.role !== "borrowed") yield each;
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
      if (present?.role !== "open") return;
      present.role = "kept";
      if (present.forked) handOver(present);
      // Without locks no later session opens it.
      if (!persistence.locks) present.writer.leave();
      tell();
      options.onRegisterChanged(id);
    },
    isOpen,
    isLive(writer, page) {
      const present = pooled.get(writer);
      if (!present || present.role === "borrowed") return false;
      return present.writer.document(laneName(writer, page)) !== undefined;
    },
    foreign(name, update) {
      const present = pooled.get(name.writer);
      const clocks = clocksOf(update);
      // What can't be read is refused where it is received.
      if (!present || present.role === "borrowed" || !clocks) return update;
      if (!isUnknown(present, name.name, clocks)) return undefined;
      if (name.kind === "register") note(present, update);
      suspect(present, name.name, clocks);
      return withOwn(present.writer.document(name.name), update);
    },
    register: (id) => {
      const present = pooled.get(id);
      return present?.role === "borrowed" ? undefined : present?.writer.register();
    },
    isFrozen(id) {
      const present = pooled.get(id);
      return present?.forked === true && present.role !== "open";
    },
    *registers() {
      for (const { id, writer } of held()) {
        const record = writer.register();
        if (record) yield [id, record];
      }
    },
    *documents() {
      for (const { writer } of held()) yield* writer.documents();
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
    resync(id, name, stateVector) {
      const present = pooled.get(id);
      if (!present) return;
      const clocks = Y.decodeStateVector(stateVector);
      if (present.role !== "borrowed" && isUnknown(present, name, clocks)) suspect(present, name, clocks);
      present.writer.resync(name, stateVector);
    },
    stageOf: ({ writer, page, index }) => pooled.get(writer)?.writer.stageOf(page, index),
    get pending() {
      let pending = 0;
      for (const { writer } of pooled.values()) pending += writer.pending;
      return pending;
    },
    async flush() {
      for (const { writer } of pooled.values()) await writer.flush();
    },
    async confirm() {
      for (const { writer } of [...pooled.values()]) if (!(await writer.confirm())) return false;
      return isWhole;
    },
    async close() {
      closed = true;
      cancelAdoption();
      await turn;
      cancelSuccession();
      for (const present of pooled.values()) {
        if (present.role === "open" && !persistence.locks) present.writer.leave();
        await closeOne(present);
      }
      pooled.clear();
    },
  };
}

/** What came from elsewhere together with what it rests on, which nobody else may have; a gap stays one. */
function withOwn(own: Y.Doc | undefined, update: Uint8Array): Uint8Array {
  if (!own) return update;
  const { from } = Y.parseUpdateMeta(update);
  return exceeds(from, clocksIn(own)) ? update : Y.mergeUpdates([Y.encodeStateAsUpdate(own), update]);
}
