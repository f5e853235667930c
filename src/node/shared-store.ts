import * as Y from "yjs";
import { isFlockError } from "../base/index.ts";
import type { DatabaseOptions, SharedStore } from "../crdt/index.ts";
import type { Connection } from "./connection.ts";
import { databaseGone, fileDamaged } from "./failure.ts";
import type { FileLease } from "./files.ts";
import { enterDatabase, hasDatabase } from "./key-values.ts";
import { bytesOf } from "./sqlite.ts";

/** Rows beyond the largest are merged into it from this many bytes on, or from as many as it has. */
const minDebtBytes = 64 * 1024;
/** What a row costs beside its bytes, as each is read and applied by itself: many small ones are merged sooner. */
const rowCostBytes = 256;

/** Keeps a shared document as rows of updates; several processes may keep the same one, which append to each other's. */
export function attachShared(
  name: string,
  document: Y.Doc,
  openFile: () => Promise<FileLease>,
  { onFailed = () => {}, onWritten = () => {} }: DatabaseOptions = {},
): SharedStore {
  const loading = Symbol("loading");
  let unsaved: Uint8Array[] = [];
  /** Nothing short of the whole document is known to make up for what is not stored. */
  let whole = document.store.clients.size > 0;
  let file: FileLease | undefined;
  let database = 0;
  /** The cost of rows beyond the largest, and the bytes of that. */
  let debtBytes = 0;
  let largestBytes = 0;
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let confirming = 0;

  const note = (update: Uint8Array, origin: unknown): void => {
    if (origin === loading) return;
    unsaved.push(update);
    if (file) saveInBackground();
  };
  document.on("update", note);

  async function load(): Promise<void> {
    const opened = await openFile();
    try {
      database = await enterDatabase(name, opened);
      const rows = await opened.read("read a shared document", (connection) =>
        readRows(connection, database),
      );
      largestBytes = rows.reduce((largest, { length }) => Math.max(largest, length), 0);
      debtBytes = costOf(rows) - largestBytes;
      if (!closing) document.transact(() => apply(document, rows), loading);
    } catch (cause) {
      await opened.close();
      // Whatever is no failure of the file is Yjs, which can't read a row.
      throw isFlockError(cause) ? cause : fileDamaged(opened.path, "read a shared document", cause);
    }
    file = opened;
    if (!closing && (whole || unsaved.length > 0 || isDue())) saveInBackground();
  }

  function isDue(): boolean {
    return debtBytes > Math.max(minDebtBytes, largestBytes);
  }

  /** Resolves once everything that the document held at the call is committed. */
  function save(): Promise<void> {
    if (!running) {
      running = write().finally(() => {
        running = undefined;
      });
      return running;
    }
    // The one that runs may have read the document already.
    queued ??= running
      .catch(() => undefined)
      .then(() => {
        queued = undefined;
        return save();
      });
    return queued;
  }

  async function write(): Promise<void> {
    if (!file) return;
    if (whole || unsaved.length > 0) await append(file);
    if (isDue()) await compact(file);
  }

  async function append(opened: FileLease): Promise<void> {
    let taken = 0;
    let cost = 0;
    try {
      const isThere = await opened.write("keep a shared document", (connection) => {
        if (!hasDatabase(connection, database)) return false;
        taken = unsaved.length;
        const rows = whole ? [Y.encodeStateAsUpdate(document)] : unsaved;
        cost = costOf(rows);
        for (const row of rows) insertRow(connection, database, row);
        return true;
      });
      if (!isThere) throw databaseGone(opened.path, name);
    } catch (failure) {
      whole = true;
      unsaved = [];
      throw failure;
    }
    whole = false;
    unsaved.splice(0, taken);
    debtBytes += cost;
    onWritten();
  }

  async function compact(opened: FileLease): Promise<void> {
    try {
      largestBytes = await opened.write("compact a shared document", (connection) =>
        mergeRows(connection, database, document.gc),
      );
    } catch {
      // The rows are as they were, and it is tried again once there are as many more.
    }
    debtBytes = 0;
  }

  function saveInBackground(): void {
    save().catch((failure) => {
      if (confirming === 0) onFailed(failure);
    });
  }

  const loaded = load();
  // Whoever does not wait for it is told by the first confirmation.
  loaded.catch(() => undefined);

  async function close(): Promise<void> {
    document.off("update", note);
    await loaded.catch(() => undefined);
    if (!file) return;
    await save().catch(onFailed);
    await file.close();
  }

  return {
    loaded,
    async confirm() {
      await loaded;
      confirming++;
      try {
        await save();
      } finally {
        confirming--;
      }
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function costOf(rows: readonly Uint8Array[]): number {
  return rows.reduce((sum, { length }) => sum + length + rowCostBytes, 0);
}

function readRows({ prepare }: Connection, database: number): Uint8Array[] {
  const rows = prepare("SELECT bytes FROM updates WHERE database = ? ORDER BY id").all(database);
  return (rows as { bytes: unknown }[]).map(({ bytes }) => bytesOf(bytes));
}

function insertRow({ prepare }: Connection, database: number, bytes: Uint8Array): void {
  prepare("INSERT INTO updates (database, bytes) VALUES (?, ?)").run(database, bytes);
}

/** Makes one row of all, those of other processes included; returns its bytes. */
function mergeRows(connection: Connection, database: number, gc: boolean): number {
  const merged = new Y.Doc({ gc });
  apply(merged, readRows(connection, database));
  const bytes = Y.encodeStateAsUpdate(merged);
  merged.destroy();
  connection.prepare("DELETE FROM updates WHERE database = ?").run(database);
  insertRow(connection, database, bytes);
  return bytes.length;
}

function apply(document: Y.Doc, rows: readonly Uint8Array[]): void {
  document.transact(() => {
    for (const row of rows) Y.applyUpdate(document, row);
  });
}
