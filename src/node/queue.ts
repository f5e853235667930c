import type { Connection } from "./connection.ts";
import type { Patience } from "./guard.ts";
import { sqliteFailureOf } from "./sqlite.ts";

/** Runs tasks on a connection, those of one turn in one transaction. */
export interface Queue {
  /** Resolves with what the task returned; what was written before is seen. */
  read<T>(task: (connection: Connection) => T): Promise<T>;
  /** Resolves once the task's transaction is committed. A task may run again where its transaction was undone. */
  write<T>(task: (connection: Connection) => T): Promise<T>;
  /** Resolves when nothing is waiting. */
  idle(): Promise<void>;
}

interface Task {
  writes: boolean;
  run(): void;
  resolve(): void;
  reject(cause: unknown): void;
}

/**
 * Creates a queue: tasks run in the order of the calls. While another process has the file locked, they wait without
 * holding up this one, up to the limit.
 */
export function createQueue(connection: Connection, { clock, limitMs, stepMs }: Patience): Queue {
  let waiting: Task[] = [];
  let scheduled = false;
  /** When a lock that is waited for counts as a failure. */
  let until: number | undefined;
  const idlers: (() => void)[] = [];

  function add<T>(writes: boolean, task: (connection: Connection) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      waiting.push({
        writes,
        run: () => {
          result = task(connection);
        },
        resolve: () => resolve(result),
        reject,
      });
      if (scheduled) return;
      scheduled = true;
      setImmediate(drain);
    });
  }

  function drain(): void {
    scheduled = false;
    const batch = waiting;
    waiting = [];
    settle(batch);
    if (!scheduled) for (const idler of idlers.splice(0)) idler();
  }

  /** Commits all or none; where the reason lies in one of them, the others must not suffer for it. */
  function settle(batch: readonly Task[]): void {
    try {
      runTogether(batch);
    } catch (cause) {
      const busy = sqliteFailureOf(cause) === "busy";
      if (busy && waitsOn(batch)) return;
      for (const task of batch) {
        if (busy || batch.length === 1) task.reject(cause);
        else if (scheduled) waiting.push(task);
        else settle([task]);
      }
      return;
    }
    until = undefined;
    for (const task of batch) task.resolve();
  }

  function runTogether(batch: readonly Task[]): void {
    const writes = batch.some((task) => task.writes);
    if (!writes) {
      for (const task of batch) task.run();
      return;
    }
    connection.exec("BEGIN IMMEDIATE");
    try {
      for (const task of batch) task.run();
      if (!connection.isInPlace()) throw new Error("The file was deleted or replaced.");
      connection.exec("COMMIT");
    } catch (cause) {
      rollBack(connection);
      throw cause;
    }
  }

  function waitsOn(batch: readonly Task[]): boolean {
    until ??= clock.now() + limitMs;
    if (clock.now() >= until) {
      until = undefined;
      return false;
    }
    waiting = [...batch, ...waiting];
    scheduled = true;
    clock.after(stepMs, drain);
    return true;
  }

  return {
    read: (task) => add(false, task),
    write: (task) => add(true, task),
    idle: () => (scheduled ? new Promise((resolve) => idlers.push(resolve)) : Promise.resolve()),
  };
}

function rollBack(connection: Connection): void {
  try {
    connection.exec("ROLLBACK");
  } catch {
    // SQLite has undone it already, as it does when the disk is full.
  }
}
