import { comparePages, formatPageName, type PageName } from "../../protocol/index.ts";
import type {
  RoomSetting,
  RoomStorage,
  StorageCommit,
  StoredAuditEntry,
  StoredClock,
  StoredDocument,
  StoredPlace,
  StoredRevocation,
  StoredRow,
} from "../room/ports.ts";

/** Creates a room's storage in memory, for the simulator and tests; it outlives the room core that writes it. */
export function createInMemoryStorage(): RoomStorage {
  const settings = new Map<RoomSetting, string>();
  const byName = new Map<string, StoredDocument>();
  const byNumber = new Map<number, StoredDocument>();
  let rows: StoredRow[] = [];
  const clocks = new Map<number, Map<number, StoredClock>>();
  const places = new Map<string, StoredPlace[]>();
  /** By register and page. */
  const droppedPages = new Map<number, Map<string, PageName>>();
  let audit: StoredAuditEntry[] = [];
  /** What there ever was, dropped documents included. */
  let head = 0;
  let lastDocument = 0;
  const revocations = new Map<string, StoredRevocation>();

  function clear(): void {
    for (const each of [settings, byName, byNumber, clocks, places, droppedPages, revocations]) each.clear();
    rows = [];
    head = 0;
    lastDocument = 0;
  }

  function drop(ids: readonly number[]): void {
    const gone = new Set(ids);
    if (gone.size === 0) return;
    rows = rows.filter(({ document }) => !gone.has(document));
    for (const id of gone) {
      lastDocument = Math.max(lastDocument, id);
      byName.delete(byNumber.get(id)?.name ?? "");
      byNumber.delete(id);
      clocks.delete(id);
      droppedPages.delete(id);
    }
    for (const key of places.keys()) if (gone.has(Number.parseInt(key, 10))) places.delete(key);
  }

  function listed(isWanted: (document: StoredDocument) => boolean, limit: number): StoredDocument[] {
    return [...byNumber.values()]
      .filter(isWanted)
      .sort((a, b) => a.id - b.id)
      .slice(0, limit);
  }

  function putClock(clock: StoredClock): void {
    const known = clocks.get(clock.document) ?? new Map<number, StoredClock>();
    clocks.set(clock.document, known.set(clock.client, { ...clock }));
  }

  function putPlace(run: StoredPlace): void {
    const key = `${run.document}/${run.client}`;
    const runs = places.get(key) ?? [];
    places.set(key, runs);
    const after = runs.findLastIndex(({ from }) => from <= run.from);
    const replaces = runs[after]?.from === run.from;
    runs.splice(replaces ? after : after + 1, replaces ? 1 : 0, { ...run });
  }

  /** Throws where a commit takes a name or number twice: before anything is written. */
  function assertFree({
    clear: cleared,
    dropDocuments = [],
    documents = [],
    removeRows = [],
    rows: added = [],
  }: StorageCommit) {
    const names = new Set<string | number>(cleared ? [] : [...byName.keys(), ...byNumber.keys()]);
    for (const id of dropDocuments) {
      names.delete(id);
      names.delete(byNumber.get(id)?.name ?? "");
    }
    for (const { id, name } of documents) {
      if (names.has(id) || names.has(name)) throw taken("document", id);
      names.add(id).add(name);
    }
    const kept = new Set<string>();
    if (added.length > 0 && !cleared) {
      for (const row of rowsFrom(Math.min(...added.map(({ sequence }) => sequence)))) {
        if (!isRemoved(row, removeRows)) kept.add(keyOf(row));
      }
    }
    for (const row of added) {
      if (kept.has(keyOf(row))) throw taken("row", row.sequence);
      kept.add(keyOf(row));
    }
  }

  /** The rows from a sequence on: they ascend, so that the first is found by halves. */
  function rowsFrom(sequence: number): StoredRow[] {
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((rows[middle]?.sequence ?? sequence) < sequence) low = middle + 1;
      else high = middle;
    }
    return rows.slice(low);
  }

  function rowsOf(document: number, sequence = 0): StoredRow[] {
    return rowsFrom(sequence + 1).filter((row) => row.document === document);
  }

  return {
    setting: (name) => settings.get(name),
    documentNamed: (name) => byName.get(name),
    documentNumbered: (id) => byNumber.get(id),
    documentsAfter: (after, limit) => listed(({ id }) => id > after, limit),
    lastDocument: () => lastDocument,
    documentCount: () => byNumber.size,
    idlestWriters(limit) {
      const days = new Map<string, number>();
      for (const { writer, day } of byNumber.values()) {
        if (writer !== undefined) days.set(writer, Math.max(day, days.get(writer) ?? day));
      }
      return [...days]
        .map(([writer, day]) => ({ writer, day }))
        .sort((a, b) => a.day - b.day || (a.writer < b.writer ? -1 : 1))
        .slice(0, limit);
    },
    documentsOf: (writer, limit) => listed((document) => document.writer === writer, limit),
    head: () => head,
    rowsAfter: (sequence) => rowsFrom(sequence + 1),
    rowsOf,
    size(document) {
      const counted = document === undefined ? rows : rowsOf(document);
      return { rows: counted.length, bytes: counted.reduce((sum, { parts }) => sum + parts.length, 0) };
    },
    longDocuments(least, limit) {
      const counts = new Map<number, number>();
      for (const { document } of rows) counts.set(document, (counts.get(document) ?? 0) + 1);
      const long = [...counts].filter(([, count]) => count >= least).map(([document]) => document);
      return long.sort((a, b) => a - b).slice(0, limit);
    },
    clock: (document, client) => clocks.get(document)?.get(client),
    clocks: (document) => [...(clocks.get(document)?.values() ?? [])],
    placeAt: (document, client, clock) =>
      places.get(`${document}/${client}`)?.findLast(({ from }) => from <= clock),
    wasDropped: ({ register, page }) => droppedPages.get(register)?.has(formatPageName(page)) ?? false,
    droppedPages: (register) => [...(droppedPages.get(register)?.values() ?? [])].sort(comparePages),
    droppedCount(register) {
      const counted = register === undefined ? [...droppedPages.values()] : [droppedPages.get(register)];
      return counted.reduce((sum, pages) => sum + (pages?.size ?? 0), 0);
    },
    auditAfter: (id, limit) => audit.filter((entry) => entry.id > id).slice(0, limit),
    lastAudit: () => audit.at(-1)?.id ?? 0,
    revocation: (kind, value) => revocations.get(`${kind}/${value}`),
    revocations: () => [...revocations.values()],
    commit(changes) {
      assertFree(changes);
      if (changes.clear) clear();
      for (const [name, value] of Object.entries(changes.settings ?? {})) {
        if (value === undefined) settings.delete(name as RoomSetting);
        else settings.set(name as RoomSetting, value);
      }
      drop(changes.dropDocuments ?? []);
      for (const document of changes.documents ?? []) {
        const kept = { ...document };
        byName.set(document.name, kept);
        byNumber.set(document.id, kept);
        lastDocument = Math.max(lastDocument, document.id);
      }
      for (const { id, day } of changes.days ?? []) {
        const document = byNumber.get(id);
        if (document) document.day = day;
      }
      const { removeRows = [] } = changes;
      if (removeRows.length > 0) rows = rows.filter((row) => !isRemoved(row, removeRows));
      const last = rows.at(-1);
      for (const row of changes.rows ?? []) {
        rows.push({ ...row, parts: row.parts.slice() });
        head = Math.max(head, row.sequence);
      }
      const first = changes.rows?.[0];
      if (first && last && byPlace(last, first) > 0) rows.sort(byPlace);
      for (const clock of changes.clocks ?? []) putClock(clock);
      for (const run of changes.places ?? []) putPlace(run);
      for (const { register, page } of changes.droppedPages ?? []) {
        const pages = droppedPages.get(register) ?? new Map<string, PageName>();
        droppedPages.set(register, pages.set(formatPageName(page), { ...page }));
      }
      for (const entry of changes.audit ?? []) {
        audit.push({ ...structuredClone(entry), id: (audit.at(-1)?.id ?? 0) + 1 });
      }
      const { trimAudit = 0 } = changes;
      if (trimAudit > 0)
        audit = audit.filter(({ id }, index) => id > trimAudit || index === audit.length - 1);
      if (changes.clearRevocations) revocations.clear();
      for (const revocation of changes.revocations ?? []) {
        revocations.set(`${revocation.kind}/${revocation.value}`, { ...revocation });
      }
    },
  };
}

function keyOf({ sequence, piece }: StoredRow): string {
  return `${sequence}/${piece}`;
}

function byPlace(a: StoredRow, b: StoredRow): number {
  return a.sequence - b.sequence || a.piece - b.piece;
}

function isRemoved(row: StoredRow, removals: NonNullable<StorageCommit["removeRows"]>): boolean {
  return removals.some(({ document, upTo }) => row.document === document && row.sequence <= upTo);
}

function taken(what: string, id: number): Error {
  return new RangeError(`The storage holds a ${what} ${id} already.`);
}
