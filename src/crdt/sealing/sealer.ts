import { abortable, type Clock, FlockError, isFlockError, type Undo } from "../../base/index.ts";
import {
  comparePages,
  encodeDocumentMessage,
  encodeSeal,
  formatPageName,
  isResync,
  type LaneMarks,
} from "../../protocol/index.ts";
import type { EntryLog } from "../lanes/entry-log.ts";
import type { LaneLimits } from "../lanes/lane-limits.ts";
import type { OwnLane } from "../lanes/own-lane.ts";
import type { OwnPage } from "../lanes/own-page.ts";
import type { PageStore } from "../page-store.ts";
import type { KeyValueStore, StoredValue } from "../persistence/port.ts";
import type { Retention } from "../retention.ts";
import type { RelayLink } from "../transports/relay-link.ts";
import type { OwnRegister } from "../writers/own-register.ts";
import { firstKept } from "./expiry.ts";
import { countBeyondWindow } from "./live-window.ts";
import type { SealBook } from "./seal-book.ts";

/** Seals the closed pages of a lane in the background, and lets go of their documents and, past retention, of the seals. */
export interface Sealer {
  /** Something has changed that may let it go on. */
  wake(): void;
  /** The relay is reached. What another of its storages had, this one is given too. */
  joined(epoch: string): void;
  /** The relay has let go of the writer, as of one that is not coming back: its seals may have gone as well. */
  forgotten(): void;
  /** What failed, or was cut off, is tried again; retention is looked at. Upon each join, page and hour. */
  retry(): void;
  /** Seals, drops and deletes nothing from now on; resolves once what was under way has ended. */
  stop(): Promise<void>;
}

export interface SealerOptions {
  writer: string;
  lane: OwnLane;
  register: OwnRegister;
  seals: SealBook;
  records: KeyValueStore;
  log: EntryLog;
  link: Pick<RelayLink, "status" | "upload"> | undefined;
  pages: PageStore;
  retention: Retention;
  limits: LaneLimits;
  clock: Clock;
  onProblem(error: FlockError): void;
}

/** Seals on their way at once: enough for a raise to stand for many after long offline. */
const maxOffers = 16;
/** Views open shortly after their room, and nobody tells when a page is let go of: so long nothing more is sealed. */
const lookAgainAfterMs = 10_000;
const drop = encodeDocumentMessage({ type: "drop" });
/** The key of the relay's epoch whose storage has the seals. */
const relayedToKey = "seals-relayed-to";

/**
 * Creates a sealer, which works when it is woken. Each step rests on what is stored alone, and comes only once the one
 * before it is durable where others look: the seal, the marks in the register, the drop at the relay, the removal here.
 * So what a crash interrupts is what the next session begins with.
 */
export function createSealer(options: SealerOptions): Sealer {
  const { writer, lane, register, seals, records, log, link, retention, clock, onProblem } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  /** Seals that are in the page store, by number, and whether the relay has them. */
  const offers = new Map<number, { relayed: boolean }>();
  /** What the relay will not do, in this session: drops by name of the document, deletions by hash. */
  const refused = new Set<string>();
  const told = new Set<string>();
  /** Tells whether the relay has the marks as they are; undefined until they are stored. */
  let areMarksRelayed: (() => boolean) | undefined;
  let running: Promise<void> | undefined;
  let isWoken = false;
  /** Something failed: nothing is begun until the next retry. */
  let rests = false;
  /** The relay could not be asked to drop, or to delete: not again until the next retry. */
  let canDrop = true;
  let canDelete = true;
  let isRetentionDue = true;
  /** The epoch of the relay's storage, and that of the one which is known to have what is below the mark. */
  let epoch: string | undefined;
  let relayedTo: StoredValue | undefined;
  /** Set while it can't be told what is held, or something is. */
  let cancelLook: Undo | undefined = lookAgain();

  function lookAgain(): Undo {
    return clock.after(lookAgainAfterMs, () => {
      cancelLook = undefined;
      wake();
    });
  }

  function wake(): void {
    if (signal.aborted) return;
    isWoken = true;
    running ??= Promise.resolve()
      .then(run)
      .finally(() => {
        running = undefined;
        if (isWoken) wake();
      });
  }

  async function run(): Promise<void> {
    while (isWoken && !signal.aborted) {
      isWoken = false;
      if (rests) return;
      try {
        await step();
      } catch (failure) {
        if (signal.aborted) return;
        rests = true;
        tell(failure);
      }
    }
  }

  /** The same failure is told once. */
  function tell(failure: unknown): void {
    const error = isFlockError(failure)
      ? failure
      : new FlockError("crdt/storage-failed", `The lane of ${writer} can't be sealed.`, { cause: failure });
    if (told.has(error.code)) return;
    told.add(error.code);
    onProblem(error);
  }

  async function step(): Promise<void> {
    const marks = register.get()?.lane;
    if (marks) await restore(marks);
    if (marks && hasLeftovers(marks)) {
      areMarksRelayed ??= await register.publish();
      signal.throwIfAborted();
      if (!areMarksRelayed) {
        rests = true;
        return;
      }
      lane.sink();
      if (areMarksRelayed()) {
        if (canDrop) await dropSunk();
        if (canDelete) await deleteExpired(marks);
      }
    }
    const isDropping = lane.sunk.some(({ name }) => !refused.has(name));
    if (!isDropping) raise();
    await offer();
  }

  /** Gives the relay again what a reset took from it: of what is below the mark nobody has more than a seal. */
  async function restore({ first, low }: LaneMarks): Promise<void> {
    const wanted = epoch;
    if (wanted === undefined || relayedTo === wanted || link?.status.get() !== "online") return;
    relayedTo ??= await records.get(relayedToKey);
    if (relayedTo === wanted) return;
    for (const { page, hash } of seals.below(low)) {
      if (page.number < first) continue;
      try {
        await abortable(options.pages.restore(hash, { signal }), signal);
      } catch (failure) {
        if (!isFlockError(failure, "refstore/not-found") && !isFlockError(failure, "refstore/corrupt"))
          throw failure;
      }
    }
    await records.write({ put: [[relayedToKey, wanted]] });
    signal.throwIfAborted();
    relayedTo = wanted;
  }

  /** Whether something of what the marks have let go of is still here. */
  function hasLeftovers({ low, first }: LaneMarks): boolean {
    const [oldest] = lane.pages;
    if (lane.sunk.length > 0 || (oldest && oldest.page.name.number < low)) return true;
    return [...seals.below(first)].some(({ hash }) => !refused.has(hash));
  }

  // Raising the marks -----------------------------------------------------------------------------

  /** Says in the register how far the lane is sealed, and what retention has taken. */
  function raise(): void {
    const record = register.get();
    if (!record) return;
    const oldest = lane.pages[0]?.page.name.number;
    let next = record.lane;
    for (const [index, own] of lane.pages.entries()) {
      const { number } = own.page.name;
      const seal = seals.get(number);
      if (!seal || !offers.get(number)?.relayed || !isReady(own, lane.pages[index + 1])) break;
      const head = { page: formatPageName(seal.page), length: seal.length, hash: seal.hash };
      next = { low: number + 1, first: next?.first ?? oldest ?? 0, head };
    }
    if (next && (isRetentionDue || next !== record.lane)) {
      isRetentionDue = false;
      const first = firstKept(next, seals, retention, clock.now());
      if (first > next.first) next = { ...next, first };
    }
    if (!next || next === record.lane) return;
    for (const number of offers.keys()) if (number < next.low) offers.delete(number);
    areMarksRelayed = undefined;
    register.set({ ...record, lane: next });
    isWoken = true;
  }

  /** Whether nothing but its seal stands between a page and the mark. */
  function isReady(own: OwnPage, next: OwnPage | undefined): boolean {
    const { page, kept, storing } = own;
    if (page.broken || storing || kept < page.length) return false;
    if (!isChained(own, next) || (link && own.relayed() < page.length)) return false;
    if (cancelLook) return false;
    if (!log.isHeld(writer, page.name)) return true;
    cancelLook = lookAgain();
    return false;
  }

  /** Whether the next page says, in what is stored of it, what this one is sealed into. */
  function isChained({ page }: OwnPage, next: OwnPage | undefined): boolean {
    const previous = next && next.kept > 0 ? next.page.previous : undefined;
    const seal = seals.get(page.name.number);
    return (
      previous?.seal !== undefined &&
      previous.seal.hash === seal?.hash &&
      previous.length === page.length &&
      comparePages(previous.page, page.name) === 0
    );
  }

  /** Puts the seals of pages beyond the live window where they are kept. */
  async function offer(): Promise<void> {
    const { low = 0 } = register.get()?.lane ?? {};
    const due = Math.min(countBeyondWindow(lane.pages, options.limits), maxOffers);
    for (let index = 0; index < due; index++) {
      const own = lane.pages[index];
      if (!own || signal.aborted) return;
      const { number } = own.page.name;
      if (number < low || offers.has(number)) continue;
      if (!isReady(own, lane.pages[index + 1])) return;
      const hash = await abortable(options.pages.put(encodeSeal(own.page.batches())), signal);
      if (hash !== seals.get(number)?.hash) {
        throw new FlockError(
          "crdt/history-corrupt",
          `The page ${own.name} is not what the one after it says: it is not sealed, and stays.`,
          { details: { document: own.name } },
        );
      }
      const offered = { relayed: false };
      offers.set(number, offered);
      // A signal of its own: Node warns of a leak where eleven listen to one.
      options.pages.relayed(hash, { signal: AbortSignal.any([signal]) }).then(
        () => {
          offered.relayed = true;
          wake();
        },
        (failure: unknown) => {
          if (signal.aborted) return;
          offers.delete(number);
          rests = true;
          tell(failure);
        },
      );
    }
  }

  // What the marks have let go of ------------------------------------------------------------------

  /** Has the documents dropped at the relay, and removes their batches here. */
  async function dropSunk(): Promise<void> {
    const due = lane.sunk.filter(({ name }) => !refused.has(name));
    if (link && link.status.get() !== "online") return;
    const outcomes = await abortable(
      Promise.all(due.map(({ name }) => link?.upload(name, drop) ?? { kind: "acknowledged" as const })),
      signal,
    );
    for (const [index, page] of due.entries()) {
      const outcome = outcomes[index];
      if (outcome?.kind === "acknowledged") {
        await records.write({ remove: page.keys });
        signal.throwIfAborted();
        lane.forget(page);
      } else if (outcome?.kind === "refused" && !isResync(outcome.code)) {
        refused.add(page.name);
        const { code, message } = outcome;
        tell(
          new FlockError(
            "crdt/refused",
            `The relay refused to drop ${page.name} (${code}): ${message} It is sealed all the same.`,
            { details: { code, document: page.name } },
          ),
        );
      } else {
        canDrop = false;
      }
    }
  }

  /** Deletes the seals that retention has taken; those that can't be reached stay noted, and are tried again. */
  async function deleteExpired({ first }: LaneMarks): Promise<void> {
    const deleted: number[] = [];
    for (const { page, hash } of seals.below(first)) {
      if (refused.has(hash)) continue;
      try {
        await abortable(options.pages.delete(hash), signal);
        deleted.push(page.number);
      } catch (failure) {
        if (signal.aborted) throw failure;
        if (isFlockError(failure, "refstore/unavailable")) {
          canDelete = false;
          break;
        }
        refused.add(hash);
        tell(failure);
      }
    }
    if (deleted.length > 0) await records.write(seals.forget(deleted));
    signal.throwIfAborted();
  }

  function retry(): void {
    rests = false;
    canDrop = true;
    canDelete = true;
    isRetentionDue = true;
    wake();
  }

  return {
    wake,
    retry,
    joined(next) {
      // What was on its way to another storage has not come to this one.
      if (epoch !== undefined && epoch !== next) offers.clear();
      epoch = next;
      retry();
    },
    forgotten() {
      offers.clear();
      relayedTo = "";
      // Should it not be noted, only a crash before the end would tell.
      void records.write({ remove: [relayedToKey] }).catch(() => undefined);
      retry();
    },
    async stop() {
      stopped.abort(new FlockError("crdt/closed", `The writer ${writer} seals no more.`));
      await running;
      cancelLook?.();
    },
  };
}
