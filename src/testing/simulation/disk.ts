import type { Undo } from "../../base/index.ts";
import { FlockError } from "../../base/index.ts";
import type { StoredValue } from "../../crdt/index.ts";
import type { Host } from "./host.ts";
import type { SimulatedRandom } from "./random.ts";
import type { Timeline } from "./timeline.ts";

/** What one database holds. */
export interface DiskDatabase {
  readonly pairs: Map<string, StoredValue>;
  /** Updates of a shared document, in the order of their transactions. */
  readonly updates: Uint8Array[];
}

/** The storage of one browser: it survives its tabs, and what they had not yet written dies with them. */
export interface Disk {
  /**
   * Runs a transaction in its turn: those of one database follow each other, whichever tab they are of. All of its
   * effect comes at one moment, and the promise resolves then. When its process is killed before, it may still
   * happen if everything before it does, but nobody hears of it.
   */
  transact<T>(
    host: Host,
    database: string,
    mode: "read" | "write",
    work: (database: DiskDatabase) => T,
  ): Promise<T>;
  /** Takes a lock that nobody holds; it is released with its process at the latest. */
  tryLock(host: Host, name: string): Undo | undefined;
  /** Deletes databases. */
  forget(prefix: string): void;
}

interface Transaction {
  host: Host;
  mode: "read" | "write";
  run(): void;
}

interface Queue {
  data: DiskDatabase;
  waiting: Transaction[];
  cancel: Undo | undefined;
}

/** Creates an empty disk; `latencyMs` draws how long a transaction takes. */
export function createDisk(timeline: Timeline, random: SimulatedRandom, latencyMs: () => number): Disk {
  const queues = new Map<string, Queue>();
  const locks = new Set<string>();
  const watched = new WeakSet<Host>();

  function queueOf(name: string): Queue {
    const present = queues.get(name);
    if (present) return present;
    const made: Queue = { data: { pairs: new Map(), updates: [] }, waiting: [], cancel: undefined };
    queues.set(name, made);
    return made;
  }

  function pump(queue: Queue): void {
    const [first] = queue.waiting;
    if (!first || queue.cancel) return;
    queue.cancel = timeline.after(latencyMs(), `${first.host.name} ${first.mode}s`, () => {
      queue.cancel = undefined;
      queue.waiting.shift();
      first.run();
      pump(queue);
    });
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
            const result = work(queue.data);
            if (host.alive) resolve(result);
          } catch (failure) {
            reject(failure);
          }
        };
        queue.waiting.push({ host, mode, run });
        pump(queue);
      });
    },
    tryLock(host, name) {
      if (locks.has(name) || !host.alive) return undefined;
      locks.add(name);
      let held = true;
      const release = (): void => {
        if (held) locks.delete(name);
        held = false;
      };
      host.onKill(release);
      return release;
    },
    forget(prefix) {
      for (const [name, queue] of queues) {
        if (!name.startsWith(prefix)) continue;
        if (queue.waiting.length > 0) {
          throw new FlockError("crdt/storage-failed", `The database ${name} is in use: close it first.`);
        }
        queues.delete(name);
      }
    },
  };
}
