import { abortable, type Clock, isFlockError, parseWriterId, type Undo } from "../../base/index.ts";
import { encodeDocumentMessage, laneName, type RegisterRecord, registerName } from "../../protocol/index.ts";
import { writerDatabase } from "../database-names.ts";
import type { Chains } from "../history/chains.ts";
import { headOf } from "../history/history.ts";
import type { ReceivedDocuments } from "../lanes/received.ts";
import type { PageStore } from "../page-store.ts";
import type { KeyValueStore, Persistence } from "../persistence/port.ts";
import { hasDeparted } from "../retention.ts";
import type { RelayLink } from "../transports/relay-link.ts";
import { listedKey, listWriters } from "./writer-pool.ts";

/** Forgets writers that nobody has had open for longer than retention, here and, where this replica may, at the relay. */
export interface Departures {
  /** Whether a writer has departed in this session, so that a page of it is not taken up. */
  turnsAway(writer: string): boolean;
  /** An update of a register rests on what is not here; tells whether that is because its writer has departed. */
  lacks(writer: string): boolean;
  /** A register has come: its writer may have departed, or be back. */
  heard(writer: string): void;
  /** Every register that there is has been heard: looks for departed writers shortly, and from then on once an hour. */
  begin(): void;
  close(): Promise<void>;
}

export interface DeparturesOptions {
  principal: string;
  prefix: string;
  departedMs: number;
  clock: Clock;
  persistence: Pick<Persistence, "locks" | "tryLock" | "forget">;
  /** The room's database, which lists the writers of this device. */
  records: KeyValueStore;
  received: ReceivedDocuments;
  chains: Chains;
  pages: Pick<PageStore, "delete">;
  link: Pick<RelayLink, "status" | "allows" | "upload"> | undefined;
  /** Whether this replica has the writer open, or sends what it left. */
  isOwn(writer: string): boolean;
  /** Whether another replica has the writer open. */
  isPresent(writer: string): boolean;
  /** There is something to store. */
  onForgotten(): void;
  /** A departed writer may be back, and what it wrote can't be understood without what was let go of. */
  onMissed(): void;
}

const everyMs = 3_600_000;
/**
 * A look begins so long after a join, when presence is told and closed writers have sent what they had left; and whoever
 * could not be forgotten, for want of the network or of a lock, is looked at again after it.
 */
const soonMs = 60_000;
const drop = encodeDocumentMessage({ type: "drop" });

/** Creates the departures; nobody departs before `begin`. */
export function createDepartures(options: DeparturesOptions): Departures {
  const { prefix, clock, persistence, records, received, link } = options;
  /** And whether a page of theirs was turned away. */
  const departed = new Map<string, { missed: boolean }>();
  let missedAt = Number.NEGATIVE_INFINITY;
  const lifetime = new AbortController();
  /** Whether the first look since the last join has begun. */
  let isLooking = false;
  let isDue = false;
  let running: Promise<void> | undefined;
  let cancel: Undo = () => {};

  /** By this clock and by those of others, because one clock may be far ahead. */
  function isPast(record: RegisterRecord): boolean {
    return hasDeparted(record, options, clock.now()) && hasDeparted(record, options, newestElsewhere());
  }

  /** When a writer that this replica does not write was last seen, by its own word. */
  function newestElsewhere(): number {
    let newest = 0;
    for (const writer of received.writers()) {
      const record = options.isOwn(writer) ? undefined : received.register(writer);
      newest = Math.max(newest, record?.seenAt ?? record?.since ?? 0);
    }
    return newest;
  }

  /** At most once an hour: a register that goes back and forth would have everybody join from zero each time. */
  function miss(): void {
    if (Math.abs(clock.now() - missedAt) < everyMs) return;
    missedAt = clock.now();
    options.onMissed();
  }

  function look(): void {
    isLooking = true;
    isDue = true;
    running ??= run().finally(() => {
      running = undefined;
    });
  }

  async function run(): Promise<void> {
    let isDone = true;
    // Gathers what comes in one turn.
    await Promise.resolve();
    while (isDue && !lifetime.signal.aborted) {
      isDue = false;
      isDone = true;
      for (const writer of [...received.writers()]) isDone = (await settle(writer)) && isDone;
    }
    if (!lifetime.signal.aborted) schedule(isDone && isLooking ? everyMs : soonMs);
  }

  function schedule(delayMs: number): void {
    cancel();
    cancel = clock.after(delayMs, look);
  }

  /** Without the relay nobody knows who was seen meanwhile. */
  function canTell(): boolean {
    return !link || link.status.get() === "online";
  }

  /** False where a writer is to depart and can't yet. */
  async function settle(writer: string): Promise<boolean> {
    const record = received.register(writer);
    if (lifetime.signal.aborted || !record || !isPast(record)) return true;
    if (!canTell() || options.isOwn(writer) || options.isPresent(writer)) return false;
    try {
      return await depart(writer, record);
    } catch {
      // The network or the storage failed, which both tell by themselves.
      return false;
    }
  }

  async function depart(writer: string, record: RegisterRecord): Promise<boolean> {
    const isListed = (await listWriters(records)).includes(writer);
    const database = writerDatabase(prefix, writer);
    const release = isListed && persistence.locks ? await persistence.tryLock(database) : () => {};
    if (!release) return false;
    try {
      if (!(await cleanRelay(writer, record)) || lifetime.signal.aborted) return false;
      departed.set(writer, { missed: false });
      received.forget(writer);
      options.onForgotten();
      if (!isListed) return true;
      await persistence.forget(database, [database]);
      await records.write({ remove: [listedKey(writer)] });
      return true;
    } finally {
      release();
    }
  }

  /** Drops what the relay has of a writer, as far as this replica may; its register, which tells of the rest, goes last. */
  async function cleanRelay(writer: string, record: RegisterRecord): Promise<boolean> {
    const isOwn = parseWriterId(writer)?.principal === options.principal;
    if (!link || !(isOwn || link.allows("admin"))) return true;
    // A lane can name another's seals as its own, and an administrator must not be talked into deleting those.
    if (isOwn) await deleteSeals(writer, record);
    const pages = received.pages(writer).map((page) => laneName(writer, page));
    for (const name of [...pages, registerName(writer)]) {
      if (!canTell()) return false;
      const { kind } = await link.upload(name, drop);
      if (kind === "lost") return false;
    }
    return true;
  }

  /** The oldest first: cut off in between, the next look finds the rest from the newest. */
  async function deleteSeals(writer: string, { lane }: RegisterRecord): Promise<void> {
    const head = lane && headOf(lane);
    if (!head) return;
    const { signal } = lifetime;
    const links = options.chains.ascend(writer, head, { from: lane.first, signal, skips: true });
    for await (const { hash } of links) {
      try {
        await abortable(options.pages.delete(hash), signal);
      } catch (failure) {
        // Where only an administrator may delete, the relay's own retention takes them.
        if (isFlockError(failure, "refstore/refused")) return;
        throw failure;
      }
    }
  }

  return {
    turnsAway(writer) {
      const standing = departed.get(writer);
      if (standing) standing.missed = true;
      return standing !== undefined;
    },
    heard(writer) {
      const record = received.register(writer);
      if (!record) return;
      if (isPast(record)) {
        if (isLooking) look();
        return;
      }
      const { missed = false } = departed.get(writer) ?? {};
      departed.delete(writer);
      if (missed) miss();
    },
    lacks(writer) {
      if (!departed.has(writer)) return false;
      miss();
      return true;
    },
    begin() {
      isLooking = false;
      if (!lifetime.signal.aborted) schedule(soonMs);
    },
    async close() {
      lifetime.abort();
      cancel();
      await running;
    },
  };
}
