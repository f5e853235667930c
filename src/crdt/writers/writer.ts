import type * as Y from "yjs";
import {
  type Clock,
  createEmitter,
  type Emitter,
  FlockError,
  type HybridClock,
  type RandomBytes,
  type Timestamp,
  type Undo,
} from "../../base/index.ts";
import {
  decodeClocks,
  type EntryRecord,
  type LaneMarks,
  type PageName,
  type RegisterRecord,
  registerName,
} from "../../protocol/index.ts";
import type { EntryLog } from "../lanes/entry-log.ts";
import { defaultLaneLimits, type LaneLimits } from "../lanes/lane-limits.ts";
import { type Appended, openOwnLane } from "../lanes/own-lane.ts";
import { sourceOf, type UploadSource } from "../lanes/upload-source.ts";
import type { PageStore } from "../page-store.ts";
import type { KeyValueStore } from "../persistence/port.ts";
import { hasDeparted, type Retention } from "../retention.ts";
import { readSealBook } from "../sealing/seal-book.ts";
import { createSealer } from "../sealing/sealer.ts";
import type { RelayLink } from "../transports/relay-link.ts";
import type { Clocks } from "./clocks.ts";
import { createOutbound, type Outbound } from "./outbound.ts";
import { openOwnRegister } from "./own-register.ts";
import { readAcknowledged, writeAcknowledged } from "./writer-records.ts";
import { createWriterStore } from "./writer-store.ts";

/** One writer of this replica: its lane and register, in a database of their own, stored before they are sent. */
export interface Writer {
  readonly id: string;
  /**
   * Appends an entry; entries of one tick share a batch.
   *
   * @throws `crdt/closed`, `crdt/entry-too-large`, `protocol/malformed-batch`
   */
  append(record: EntryRecord, options?: { references?: readonly string[] }): Appended;
  /** The writer's record; changes within a short time are stored and sent as one. */
  register(): RegisterRecord | undefined;
  /** Sets the record, but for what the writer itself says there: `lane`, `seenAt` and `left`. */
  setRegister(record: RegisterRecord): void;
  /** Says in the register that this writer will not come back; an agent that opens it again takes that back. */
  leave(): void;
  /** An agent opens it again, in this session: what it says in the register from now on is that it is here. */
  comeBack(): void;
  /** Another device writes in this writer's name: nothing is sealed, dropped or deleted any more, only sent. */
  freeze(): void;
  /** Says of the lane what another has said in the writer's name, where that reaches further: else nobody finds its seals. */
  keepMarks(marks: LaneMarks): void;
  /** Whether this writer's database has a document of this name, or had it until it was sealed. */
  owns(name: string): boolean;
  /** A document of the writer as it is in memory, with what is still being stored. */
  document(name: string): Y.Doc | undefined;
  /** How far one of this writer's entries has come; undefined for one that it did not write. */
  stageOf(page: PageName, index: number): "pending" | "local" | "relayed" | undefined;
  /** Entries and register changes that the relay has not acknowledged. */
  readonly pending: number;
  /** What was stored and may be told to other tabs. */
  readonly stored: Emitter<{ name: string; update: Uint8Array }>;
  readonly registerChanged: Emitter<void>;
  /** Names and documents of everything that is stored; what is still being stored is left out. */
  documents(): Iterable<[name: string, document: Y.Doc]>;
  joined(epoch: string): void;
  /** The relay's clocks of one of the writer's documents. */
  resync(name: string, stateVector: Uint8Array): void;
  /** Resolves when everything appended so far is stored. */
  flush(): Promise<void>;
  /** Tries again what the database refused; resolves with whether all that may have gone out is stored. */
  confirm(): Promise<boolean>;
  close(): Promise<void>;
}

export interface WriterOptions {
  id: string;
  records: KeyValueStore;
  log: EntryLog;
  hybrid: HybridClock;
  clock: Clock;
  random: RandomBytes;
  link: RelayLink | undefined;
  /** Where its sealed pages are kept. */
  pages: PageStore;
  retention: Retention;
  /** For tests. Default: those of the protocol. */
  limits?: LaneLimits | undefined;
  /** The clock that an entry folds by, as far as it is known here; default its own. */
  effectiveOf?(id: string): Timestamp | undefined;
  /** Whether it is frozen from the start. Default false. */
  frozen?: boolean;
  onPending(): void;
  onProblem(error: FlockError): void;
}

const acknowledgedAfterMs = 500;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Opens a writer over its database, which it then owns; the caller holds its lock. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const { id, records, log, hybrid, clock, random, link, onPending, onProblem } = options;
  const { limits = defaultLaneLimits } = options;
  const stored = createEmitter<{ name: string; update: Uint8Array }>();
  const known = await readAcknowledged(records);
  /** The relay's storage that has what was acknowledged. */
  let relayEpoch = known.epoch;
  const registerClocks = new Map(
    Object.entries(known.register).map(([client, clock]) => [Number(client), clock]),
  );
  let cancelAcknowledged: Undo = () => {};
  let cancelHour: Undo = () => {};
  let closed = false;
  /** Whether an agent has it open, and whether that one has left for good. */
  let isUsed = false;
  let hasLeft = false;

  const store = createWriterStore(records, onProblem);
  const register = await openOwnRegister({
    store,
    clock,
    random,
    outbound: (document, ready) => outboundOf(registerName(id), sourceOf(document), registerClocks, ready),
  });
  const seals = await readSealBook(records);
  const lane = await openOwnLane({
    writer: id,
    store,
    log,
    hybrid,
    random,
    hasRelay: link !== undefined,
    limits,
    seals,
    marks: () => register.get()?.lane,
    effectiveOf: options.effectiveOf ?? ((parent) => log.get(parent)?.clock),
    onPending,
    onProblem: tell,
    outbound: ({ name, page, source }, ready) =>
      outboundOf(name, source, new Map([[page.name.client, known.clocks[name] ?? 0]]), ready),
  });
  const sealer = createSealer({
    writer: id,
    lane,
    register,
    seals,
    records,
    log,
    link,
    pages: options.pages,
    retention: options.retention,
    limits,
    clock,
    onProblem,
  });
  lane.began.on(() => sealer.retry());
  lane.stored.on((change) => stored.emit(change));
  register.stored.on((update) => stored.emit({ name: registerName(id), update }));
  register.changed.on(onPending);
  if (options.frozen) void sealer.stop();
  else sealer.wake();
  if (!options.frozen) returnWhole();
  everyHour();

  /** Others have let go of a writer that was away for so long: what it never sent comes with all that it rests on. */
  function returnWhole(): void {
    const record = register.get();
    if (!link || !record || !hasDeparted(record, options.retention, clock.now())) return;
    if (lane.pending === 0 && register.complete) return;
    relayEpoch = "";
    register.set({ ...record, seenAt: today() });
    sealer.forgotten();
  }

  function everyHour(): void {
    cancelHour = clock.after(hourMs, () => {
      everyHour();
      const record = register.get();
      if (isUsed && record && record.seenAt !== today()) register.set({ ...record, seenAt: today() });
      sealer.retry();
    });
  }

  /** The record with what the writer itself says of its lane and its being here. */
  function withOwn(record: RegisterRecord): RegisterRecord {
    const { lane: _lane, left: _left, ...rest } = record;
    const marks = register.get()?.lane;
    return { ...rest, seenAt: today(), ...(marks && { lane: marks }), ...(hasLeft && { left: true }) };
  }

  /** To the day, so that it costs one write a day. */
  function today(): number {
    const now = clock.now();
    return now - (now % dayMs);
  }

  function tell(failure: unknown): void {
    onProblem(
      failure instanceof FlockError
        ? failure
        : new FlockError("crdt/storage-failed", `The writer ${id} failed.`, { cause: failure }),
    );
  }

  function outboundOf(
    name: string,
    source: UploadSource,
    acknowledged: Clocks,
    ready: () => boolean,
  ): Outbound | undefined {
    return (
      link &&
      createOutbound({
        name,
        source,
        link,
        ready,
        acknowledged,
        onAcknowledged() {
          lane.acknowledged();
          sealer.wake();
          cancelAcknowledged();
          cancelAcknowledged = clock.after(acknowledgedAfterMs, () => void remember());
          onPending();
        },
        onRefused(error) {
          lane.failRelayed(error);
          onProblem(error);
        },
      })
    );
  }

  function remember(): Promise<void> {
    cancelAcknowledged();
    const clocks = lane.pages.map(({ name, page, outbound }) => [
      name,
      outbound?.acknowledged(page.name.client) ?? 0,
    ]);
    return writeAcknowledged(records, {
      epoch: relayEpoch,
      clocks: Object.fromEntries(clocks),
      register: Object.fromEntries(register.acknowledged()),
    });
  }

  function find(name: string): Y.Doc | undefined {
    if (name === registerName(id)) return register.document;
    return lane.pages.find((own) => own.name === name)?.page.document;
  }

  async function flush(): Promise<void> {
    await lane.flush();
    await register.flush();
  }

  return {
    id,
    stored,
    registerChanged: register.changed,
    append(record, { references = [] } = {}) {
      if (closed) throw new FlockError("crdt/closed", `The writer ${id} is closed.`);
      return lane.append(record, references);
    },
    register: () => register.get(),
    setRegister(record) {
      if (closed) return;
      isUsed = true;
      register.set(withOwn(record));
    },
    leave() {
      const record = register.get();
      if (closed || !record) return;
      hasLeft = true;
      register.set(withOwn(record));
    },
    comeBack() {
      hasLeft = false;
    },
    freeze: () => void sealer.stop(),
    keepMarks(marks) {
      const record = register.get();
      if (!closed && record && (record.lane?.low ?? 0) < marks.low) register.set({ ...record, lane: marks });
    },
    owns: (name) => name === registerName(id) || lane.owns(name),
    document: find,
    stageOf: (page, index) => lane.stageOf(page, index),
    get pending() {
      return link ? lane.pending + (register.complete ? 0 : 1) : 0;
    },
    *documents() {
      yield [registerName(id), register.settled()];
      for (const own of lane.pages) yield [own.name, own.settled()];
    },
    joined(epoch) {
      const resumed = epoch === relayEpoch;
      relayEpoch = epoch;
      for (const { outbound } of lane.pages) outbound?.joined(resumed);
      register.outbound?.joined(resumed);
      sealer.joined(epoch);
    },
    resync(name, stateVector) {
      if (name !== registerName(id)) {
        lane.pages.find((own) => own.name === name)?.outbound?.resync(stateVector);
        return;
      }
      const clocks = decodeClocks(stateVector);
      const isForgotten = register.acknowledged().some(([client, upTo]) => upTo > (clocks.get(client) ?? 0));
      register.outbound?.resync(stateVector);
      if (!isForgotten) return;
      // Retention took the register, and with it what it tells of.
      for (const { outbound } of lane.pages) outbound?.joined(false);
      sealer.forgotten();
    },
    flush,
    confirm: async () => (await lane.confirm()) && (await register.confirm()),
    async close() {
      if (closed) return;
      closed = true;
      cancelHour();
      await sealer.stop();
      await flush();
      await remember();
      const failure = new FlockError(
        "crdt/closed",
        `The writer ${id} was closed before the relay acknowledged.`,
      );
      lane.failLocal(failure);
      lane.failRelayed(failure);
      await records.close();
      register.close();
    },
  };
}
