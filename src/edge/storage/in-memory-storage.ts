import type {
  RoomSetting,
  RoomStorage,
  StoredClock,
  StoredDepth,
  StoredDocument,
  StoredRow,
} from "../room/ports.ts";

/** Creates a room's storage in memory, for the simulator and tests; it outlives the room core that writes it. */
export function createInMemoryStorage(): RoomStorage {
  const settings = new Map<RoomSetting, string>();
  const byName = new Map<string, StoredDocument>();
  const byNumber = new Map<number, StoredDocument>();
  const rows: StoredRow[] = [];
  const clocks = new Map<number, Map<number, number>>();
  const depths = new Map<string, StoredDepth[]>();

  function putClock({ document, client, clock }: StoredClock): void {
    const known = clocks.get(document) ?? new Map<number, number>();
    clocks.set(document, known.set(client, clock));
  }

  function putDepth(run: StoredDepth): void {
    const key = `${run.document}/${run.client}`;
    const others = (depths.get(key) ?? []).filter(({ from }) => from !== run.from);
    depths.set(
      key,
      [...others, run].sort((a, b) => a.from - b.from),
    );
  }

  return {
    setting: (name) => settings.get(name),
    documentNamed: (name) => byName.get(name),
    documentNumbered: (id) => byNumber.get(id),
    lastDocument: () => Math.max(0, ...byNumber.keys()),
    head: () => rows.at(-1)?.sequence ?? 0,
    rowsAfter: (sequence) => rows.filter((row) => row.sequence > sequence),
    rowsOf: (document) => rows.filter((row) => row.document === document),
    clock: (document, client) => clocks.get(document)?.get(client) ?? 0,
    clocks: (document) => new Map(clocks.get(document)),
    depthAt: (document, client, clock) =>
      depths.get(`${document}/${client}`)?.findLast(({ from }) => from <= clock),
    commit(changes) {
      for (const document of changes.documents ?? []) {
        if (byName.has(document.name) || byNumber.has(document.id)) throw taken("document", document.id);
      }
      for (const { sequence } of changes.rows ?? []) {
        if (rows.some((row) => row.sequence === sequence)) throw taken("row", sequence);
      }
      for (const [name, value] of Object.entries(changes.settings ?? {}))
        settings.set(name as RoomSetting, value);
      for (const document of changes.documents ?? []) {
        byName.set(document.name, { ...document });
        byNumber.set(document.id, { ...document });
      }
      for (const { sequence, document, parts } of changes.rows ?? []) {
        rows.push({ sequence, document, parts: parts.slice() });
      }
      rows.sort((a, b) => a.sequence - b.sequence);
      for (const clock of changes.clocks ?? []) putClock(clock);
      for (const run of changes.depths ?? []) putDepth({ ...run });
    },
  };
}

function taken(what: string, id: number): Error {
  return new RangeError(`The storage holds a ${what} ${id} already.`);
}
