import { Worker } from "node:worker_threads";

/** What a reader is told to do. */
export interface ReaderTask {
  relay: string;
  room: string;
  /** How many messages of the type `RATE` to handle. */
  count: number;
}

/** A thread that reads one room after another. */
export interface ReaderThread {
  /**
   * Opens a room. `met` resolves once a message of the type `FIRST` was handled, `done` once all of the others were; the
   * room is then closed.
   */
  read(task: ReaderTask): { met: Promise<void>; done: Promise<void> };
  close(): Promise<void>;
}

/** Starts a reader; `script` is the path of the built `reader.ts`. */
export function startReader(script: string): ReaderThread {
  const worker = new Worker(script);
  const told = (word: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const hear = (said: unknown): void => {
        if (said !== word) return;
        worker.off("message", hear);
        worker.off("error", reject);
        resolve();
      };
      worker.on("message", hear);
      worker.on("error", reject);
    });
  return {
    read(task) {
      const heard = { met: told("met"), done: told("done") };
      worker.postMessage(task);
      return heard;
    },
    async close() {
      await worker.terminate();
    },
  };
}
