import type { Undo } from "../../base/index.ts";
import { type Json, type JsonObject, parseEntryId } from "../../protocol/index.ts";
import type { KeyValueStore, StoredValue } from "../persistence/port.ts";
import type { KeyFold } from "./key-fold.ts";
import type { Place } from "./place.ts";

/** Where views keep their states: the room's database, and a lock for each view's part of it. */
export interface SnapshotStorage {
  readonly records: Pick<KeyValueStore, "get" | "entries" | "write">;
  /** Taken by the one tab that writes; undefined where another has it. */
  tryLock(name: string): Promise<Undo | undefined>;
}

/** A key as a snapshot has it. */
export interface SnapshotKey {
  readonly key: string;
  readonly state: Json;
  readonly baseEnd: Place;
  readonly pages: readonly string[];
}

/** What a snapshot of a view holds besides its archived keys. */
export interface ReadSnapshot {
  /** What it covers, by writer. */
  readonly coverage: readonly (readonly [writer: string, lane: Json])[];
  /** Entries that it covers and that have not folded, because they wait for a parent. */
  readonly waiting: readonly string[];
  readonly keys: readonly SnapshotKey[];
}

/** What changed since the snapshot was last written. */
export interface SnapshotChange {
  readonly coverage: ReadSnapshot["coverage"];
  readonly waiting: readonly string[];
  readonly live: readonly SnapshotKey[];
  readonly archived: readonly SnapshotKey[];
}

/** The snapshot of one view, in one version. */
export interface Snapshots {
  /** Undefined where there is none that can be read: what there was is then deleted. */
  read(): Promise<ReadSnapshot | undefined>;
  archived(key: string): Promise<SnapshotKey | undefined>;
  /** All of it in one transaction, or nothing; nothing where another tab writes this view. */
  write(change: SnapshotChange): Promise<void>;
  readonly isWriter: boolean;
  close(): void;
}

/**
 * Opens a view's snapshot: `view/NAME` says which version is there, `view/NAME/VERSION/live/=KEY` has the keys of the
 * view, `…/live/WRITER` what they cover of a lane, `…/live/` what waits, and `…/archived/=KEY` the keys that it has let
 * go of.
 *
 * @throws `crdt/storage-failed`
 */
export async function openSnapshots(
  { records, tryLock }: SnapshotStorage,
  { name, version }: { name: string; version: number },
): Promise<Snapshots> {
  const root = `view/${name}`;
  const viewPrefix = `${root}/${version}/live/`;
  const livePrefix = `${viewPrefix}=`;
  const archivedPrefix = `${root}/${version}/archived/=`;
  const unlock = await tryLock(root);

  async function drop(): Promise<void> {
    if (!unlock) return;
    const remove = (await records.entries(`${root}/`)).map(([key]) => key);
    await records.write({ put: [[root, { version }]], remove });
  }

  return {
    isWriter: unlock !== undefined,
    async read() {
      const pointer = await records.get(root);
      const isSame = isObject(pointer) && pointer.version === version;
      // One call, hence one transaction: another tab may write between two.
      const found = isSame ? readPairs(await records.entries(viewPrefix), viewPrefix) : undefined;
      if (!found) await drop();
      return found;
    },
    async archived(key) {
      return readKey(key, await records.get(archivedPrefix + key));
    },
    async write({ coverage, waiting, live, archived }) {
      if (!unlock) return;
      await records.write({
        put: [
          [viewPrefix, { waiting }],
          ...coverage.map(([writer, lane]): [string, Json] => [viewPrefix + writer, lane]),
          ...live.map((each): [string, Json] => [livePrefix + each.key, encodeKey(each)]),
          ...archived.map((each): [string, Json] => [archivedPrefix + each.key, encodeKey(each)]),
        ],
        remove: [
          ...archived.map(({ key }) => livePrefix + key),
          ...live.map(({ key }) => archivedPrefix + key),
        ],
      });
    },
    close: () => unlock?.(),
  };
}

/** A key of a view as a snapshot keeps it; undefined where nothing has folded into it. */
export function snapshotOf(
  { key, placed, inBase, baseEnd, pages }: KeyFold<unknown>,
  state: Json,
): SnapshotKey | undefined {
  const end = (placed.length > inBase ? placed.at(-1) : undefined) ?? baseEnd;
  return end && { key, state, baseEnd: end, pages: [...pages] };
}

function encodeKey({ state, baseEnd: { effective, entry }, pages }: SnapshotKey): Json {
  const { writer, page, index } = entry;
  return { state, end: [effective, `${writer}/${page.number}-${page.client}/${index}`], pages };
}

function readPairs(pairs: readonly [string, StoredValue][], prefix: string): ReadSnapshot | undefined {
  const keys: SnapshotKey[] = [];
  const coverage: [writer: string, lane: Json][] = [];
  let waiting: readonly string[] | undefined;
  for (const [key, value] of pairs) {
    const name = key.slice(prefix.length);
    if (!isObject(value)) return undefined;
    if (name.startsWith("=")) {
      const read = readKey(name.slice(1), value);
      if (!read) return undefined;
      keys.push(read);
    } else if (name !== "") coverage.push([name, value]);
    else if (isStrings(value.waiting)) waiting = value.waiting;
  }
  return waiting && { coverage, waiting, keys };
}

function readKey(key: string, value: StoredValue | undefined): SnapshotKey | undefined {
  if (!isObject(value) || !Array.isArray(value.end) || !isStrings(value.pages)) return undefined;
  const { state, pages } = value;
  const [effective, id] = value.end as readonly Json[];
  const entry = typeof id === "string" ? parseEntryId(id) : undefined;
  if (typeof effective !== "number" || !entry || state === undefined) return undefined;
  return { key, state, baseEnd: { effective, entry }, pages };
}

function isObject(value: StoredValue | undefined): value is JsonObject {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
