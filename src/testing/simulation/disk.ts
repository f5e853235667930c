import type { Undo } from "../../base/index.ts";
import { type StoredValue, storageFailed } from "../../crdt/index.ts";
import type { Host } from "./host.ts";
import type { SimulatedRandom } from "./random.ts";
import type { Timeline } from "./timeline.ts";

/** What one database holds. */
export interface DiskDatabase {
  readonly pairs: Map<string, StoredValue>;
  /** Updates of a shared document, in the order of their transactions. */
  readonly updates: Uint8Array[];
}

/** How badly a disk behaves. */
export interface DiskFaults {
  /** Whether every write is refused for want of space. */
  full: boolean;
  /** The probability that the transaction of a write is aborted: nothing of it happens, and its tab is told. */
  aborted: number;
  /** Milliseconds that each transaction takes longer. */
  slowMs: number;
}

export const soundDisk: Readonly<DiskFaults> = { full: false, aborted: 0, slowMs: 0 };

/** The databases of one browser: they survive its tabs, and what those had not yet written dies with them. */
export interface Disk {
  readonly faults: DiskFaults;
  /**
   * Takes hold of a database until the result is called or the process is gone; `onLost` is told when it is wiped
   * meanwhile.
   */
  hold(host: Host, database: string, onLost: () => void): Undo;
  /**
   * Runs a transaction in its turn: those of one database follow each other, whichever tab they are of. All of its
   * effect comes at one moment, and the promise resolves then. When its process is killed before, it may still
   * happen if everything before it does, but nobody hears of it. `work` may be run again on a copy.
   *
   * @throws DOMException `QuotaExceededError` of a full disk, `AbortError` of one that failed or was wiped.
   */
  transact<T>(
    host: Host,
    database: string,
    mode: "read" | "write",
    work: (database: DiskDatabase) => T,
  ): Promise<T>;
  /** Deletes databases. @throws `crdt/storage-failed` of the reason `blocked` while one is held. */
  forget(prefix: string): void;
  /** Deletes everything; transactions under way are aborted. */
  wipe(): void;
  /** Forgets of the last seconds all but a first part, as a machine does that loses power: every tab must be dead. */
  loseUnsynced(): void;
  /** Takes over what another disk holds at this moment. */
  copyFrom(other: Disk): void;
  /** The databases by name. */
  databases(): Iterable<[name: string, database: DiskDatabase]>;
}

interface Transaction {
  host: Host;
  mode: "read" | "write";
  run(): void;
  abort(): void;
}

interface Queue {
  live: DiskDatabase;
  /** What is there for sure after a loss of power. */
  synced: DiskDatabase;
  waiting: Transaction[];
  cancel: Undo | undefined;
  readonly holders: Set<() => void>;
}

/** What was committed, and may yet be lost with the machine's power. */
interface Commit {
  at: number;
  queue: Queue;
  work: (database: DiskDatabase) => unknown;
}

/** A browser that commits with relaxed durability has the system write behind it; Linux does by default within this. */
const syncMs = 5_000;

/** Creates an empty disk; `latencyMs` draws how long a transaction takes. */
export function createDisk(timeline: Timeline, random: SimulatedRandom, latencyMs: () => number): Disk {
  const faults: DiskFaults = { ...soundDisk };
  const queues = new Map<string, Queue>();
  const watched = new WeakSet<Host>();
  let unsynced: Commit[] = [];

  function queueOf(name: string): Queue {
    const present = queues.get(name);
    if (present) return present;
    const made: Queue = {
      live: emptyDatabase(),
      synced: emptyDatabase(),
      waiting: [],
      cancel: undefined,
      holders: new Set(),
    };
    queues.set(name, made);
    return made;
  }

  function pump(queue: Queue): void {
    const [first] = queue.waiting;
    if (!first || queue.cancel) return;
    queue.cancel = timeline.after(latencyMs() + faults.slowMs, `${first.host.name} ${first.mode}s`, () => {
      queue.cancel = undefined;
      queue.waiting.shift();
      first.run();
      pump(queue);
    });
  }

  function sync(count: number): void {
    for (const { queue, work } of unsynced.splice(0, count)) work(queue.synced);
  }

  function write<T>(queue: Queue, work: (database: DiskDatabase) => T): T {
    if (faults.full) throw new DOMException("The disk is full.", "QuotaExceededError");
    if (random.chance(faults.aborted)) throw new DOMException("The transaction was aborted.", "AbortError");
    const firstKept = unsynced.findIndex(({ at }) => at > timeline.now() - syncMs);
    sync(firstKept < 0 ? unsynced.length : firstKept);
    const result = work(queue.live);
    unsynced.push({ at: timeline.now(), queue, work });
    return result;
  }

  /** Of a dead process's writes a first part, drawn at random, is past recall; the rest never happens. */
  function bury(host: Host): void {
    for (const queue of queues.values()) {
      const [head] = queue.waiting;
      let isPastRecall = true;
      queue.waiting = queue.waiting.filter((transaction) => {
        if (transaction.host !== host) return true;
        isPastRecall &&= transaction.mode === "write" && random.chance(0.5);
        return isPastRecall;
      });
      if (queue.waiting[0] === head) continue;
      queue.cancel?.();
      queue.cancel = undefined;
      pump(queue);
    }
  }

  return {
    faults,
    hold(host, name, onLost) {
      const { holders } = queueOf(name);
      holders.add(onLost);
      const release = (): void => void holders.delete(onLost);
      host.onKill(release);
      return release;
    },
    transact(host, name, mode, work) {
      if (!watched.has(host)) {
        watched.add(host);
        host.onKill(() => bury(host));
      }
      const queue = queueOf(name);
      return new Promise((resolve, reject) => {
        if (!host.alive) return;
        const run = (): void => {
          try {
            const result = mode === "write" ? write(queue, work) : work(queue.live);
            if (host.alive) resolve(result);
          } catch (failure) {
            if (host.alive) reject(failure);
          }
        };
        const abort = (): void => {
          if (host.alive) reject(new DOMException("The database was deleted.", "AbortError"));
        };
        queue.waiting.push({ host, mode, run, abort });
        pump(queue);
      });
    },
    forget(prefix) {
      const concerned = [...queues].filter(([name]) => name.startsWith(prefix));
      const [open] = concerned.find(([, { holders }]) => holders.size > 0) ?? [];
      if (open !== undefined) throw storageFailed(`delete ${open}`, "blocked");
      for (const [name, queue] of concerned) {
        queues.delete(name);
        unsynced = unsynced.filter((commit) => commit.queue !== queue);
      }
    },
    wipe() {
      unsynced = [];
      const gone = [...queues.values()];
      queues.clear();
      for (const { waiting, cancel, holders } of gone) {
        cancel?.();
        for (const { abort } of waiting) abort();
        for (const onLost of [...holders]) onLost();
      }
    },
    loseUnsynced() {
      sync(random.below(unsynced.length + 1));
      unsynced = [];
      for (const queue of queues.values()) {
        queue.waiting.length = 0;
        queue.cancel?.();
        queue.cancel = undefined;
        queue.live = copyOf(queue.synced);
      }
    },
    copyFrom(other) {
      for (const [name, database] of other.databases()) {
        const queue = queueOf(name);
        queue.live = copyOf(database);
        queue.synced = copyOf(database);
      }
    },
    *databases() {
      for (const [name, { live }] of queues) yield [name, live];
    },
  };
}

function emptyDatabase(): DiskDatabase {
  return { pairs: new Map(), updates: [] };
}

/** The values themselves are never changed, and shared. */
function copyOf({ pairs, updates }: DiskDatabase): DiskDatabase {
  return { pairs: new Map(pairs), updates: [...updates] };
}
