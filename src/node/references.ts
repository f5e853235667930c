import { FlockError, isFlockError } from "../base/index.ts";
import {
  assertSize,
  closed,
  type LocalReferenceStore,
  nameBytes,
  notFound,
  type Reference,
  referenceId,
  verify,
} from "../refstore/index.ts";
import type { Connection } from "./connection.ts";
import type { FileLease } from "./files.ts";
import { bytesOf } from "./sqlite.ts";

const place = "the local database";
/** How many references one step of `list` reads. */
const listPage = 256;
const describedColumns = "id, size, type";

/** Creates the store over its file, which several processes may have open. */
export function createReferenceStore(file: FileLease): LocalReferenceStore {
  let isClosed = false;

  function assertOpen(signal?: AbortSignal): void {
    if (isClosed) throw closed("The local database of references");
    signal?.throwIfAborted();
  }

  async function read<T>(task: (connection: Connection) => T): Promise<T> {
    return file.read("read references", task).catch(refuse);
  }

  async function write<T>(task: (connection: Connection) => T): Promise<T> {
    return file.write("keep references", task).catch(refuse);
  }

  async function* list(): AsyncIterable<Reference> {
    let after = "";
    for (;;) {
      assertOpen();
      const rows = await read(({ prepare }) =>
        prepare(`SELECT ${describedColumns} FROM described WHERE id > ? ORDER BY id LIMIT ${listPage}`).all(
          after,
        ),
      );
      const found = rows.map(referenceOf);
      yield* found;
      if (found.length < listPage) return;
      after = found.at(-1)?.id ?? after;
    }
  }

  return {
    async put(bytes, { contentType, signal, pending = false } = {}) {
      assertOpen(signal);
      assertSize(bytes.length);
      const copy = bytes.slice();
      const reference = await nameBytes(copy, contentType);
      assertOpen(signal);
      const { id, size, contentType: type } = reference;
      await write(({ prepare }) => {
        // Written even where there are some: what lies there may have decayed.
        prepare("INSERT OR REPLACE INTO contents VALUES (?, ?)").run(id, copy);
        prepare("INSERT OR IGNORE INTO described VALUES (?, ?, ?)").run(id, size, type);
        if (pending) prepare("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)").run(id, size, type);
      });
      return reference;
    },
    async get(reference, { signal } = {}) {
      assertOpen(signal);
      const id = referenceId(reference);
      const row = await read(({ prepare }) => prepare("SELECT bytes FROM contents WHERE id = ?").get(id));
      if (row === undefined) throw notFound(id, place);
      const bytes = bytesOf((row as { bytes: unknown }).bytes);
      try {
        await verify(id, bytes, place);
      } catch (failure) {
        // Unless good ones have taken their place meanwhile.
        if (isFlockError(failure, "refstore/corrupt"))
          await write((connection) => remove(connection, id, bytes));
        throw failure;
      }
      return bytes;
    },
    async has(id, { signal } = {}) {
      assertOpen(signal);
      const key = referenceId(id);
      return (
        (await read(({ prepare }) => prepare("SELECT 1 FROM contents WHERE id = ?").get(key))) !== undefined
      );
    },
    async delete(id, { signal } = {}) {
      assertOpen(signal);
      const key = referenceId(id);
      return write((connection) => remove(connection, key));
    },
    list,
    async stats() {
      assertOpen();
      const row = await read(({ prepare }) =>
        prepare("SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes FROM described").get(),
      );
      const { count, bytes } = row as { count: number; bytes: number };
      return { count, bytes };
    },
    uploads: {
      async load() {
        assertOpen();
        const rows = await read(({ prepare }) => prepare(`SELECT ${describedColumns} FROM uploads`).all());
        return rows.map(referenceOf);
      },
      async remove(id) {
        assertOpen();
        await write(({ prepare }) => prepare("DELETE FROM uploads WHERE id = ?").run(id));
      },
    },
    async close() {
      isClosed = true;
      await file.close();
    },
  };
}

/** Removes a reference, if it has these bytes where any are named; tells whether it did. */
function remove({ prepare }: Connection, id: string, bytes?: Uint8Array): boolean {
  const found = bytes
    ? prepare("SELECT 1 FROM contents WHERE id = ? AND coalesce(bytes, x'') = coalesce(?, x'')").get(
        id,
        bytes,
      )
    : prepare("SELECT 1 FROM contents WHERE id = ?").get(id);
  if (found === undefined) return false;
  for (const table of ["contents", "described", "uploads"])
    prepare(`DELETE FROM ${table} WHERE id = ?`).run(id);
  return true;
}

function referenceOf(row: unknown): Reference {
  const { id, size, type } = row as { id: string; size: number; type: string };
  return { id, size, contentType: type };
}

/** Says in the words of the port what the file failed to do. */
function refuse(failure: unknown): never {
  throw referenceFailure(failure);
}

/** An error of a file as one of a reference store. */
export function referenceFailure(failure: unknown): unknown {
  if (!isFlockError(failure)) return failure;
  const { message, details } = failure;
  const code = details["reason"] === "quota" ? "refstore/quota" : "refstore/unavailable";
  return new FlockError(code, message, { cause: failure, details });
}
