import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { createInMemoryStorage, type RoomStorage } from "../../src/edge/index.ts";
import { writeBlocks } from "../../src/edge/room/archive/archive-blocks.ts";
import {
  type ArchiveRecord,
  encodeRecord,
  maxBlockBytes,
} from "../../src/edge/room/archive/archive-format.ts";
import { discardUnfinishedImport } from "../../src/edge/room/condition.ts";
import {
  decodeDocumentMessage,
  decodeFrame,
  encodeDocumentMessage,
  encodeFrame,
  registerName,
  registerRoot,
  sliceUpdate,
} from "../../src/protocol/index.ts";
import {
  type AdministeredRoom,
  admin,
  administeredRoom,
  codeOf,
  collect,
  inChunks,
} from "./administered-room.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";

/** A room with a shared document of two principals, a lane's page and a register. */
function filledRoom() {
  const room = administeredRoom();
  const alice = editedDocument(1);
  alice.doc.getText("text").insert(0, "from alice ");
  room.write("shared/notes", alice.take(), "alice");
  const bob = editedDocument(2);
  Y.applyUpdate(bob.doc, Y.encodeStateAsUpdate(alice.doc), "elsewhere");
  bob.take();
  bob.doc.getText("text").insert(0, "from bob ");
  bob.doc.getText("text").delete(9, 5);
  room.write("shared/notes", bob.take(), "bob");
  room.write(pageOf(7), pageUpdates(7, ["one", "two"]));
  const card = editedDocument(8);
  card.doc.getMap(registerRoot).set("v", { version: 1 });
  room.write(registerName("anon.planner.x7"), card.take());
  return { ...room, text: bob.doc.getText("text").toString() };
}

/** What a storage holds for everybody: its documents with their updates and the owners of their clients. */
function contentsOf(storage: RoomStorage) {
  return storage.documentsAfter(0, 1_000).map(({ id, name }) => ({
    name,
    updates: [...storage.rowsOf(id)]
      .flatMap(({ parts }) => decodeFrame(parts))
      .map(({ payload }) => decodeDocumentMessage(payload)),
    owners: [...storage.clocks(id)]
      .map(({ client, clock, owner }) => ({ client, clock, owner }))
      .sort((a, b) => a.client - b.client),
  }));
}

/** What is left of a room of which nothing is to be seen. */
function remainsOf(storage: RoomStorage) {
  return {
    documents: storage.documentCount(),
    ...storage.size(),
    clocks: [1, 2, 3].flatMap((id) => [...storage.clocks(id)]),
    epoch: storage.setting("epoch"),
    importing: storage.setting("importing"),
  };
}

const nothing = { documents: 0, rows: 0, bytes: 0, clocks: [], epoch: undefined, importing: undefined };

const exported = (room: AdministeredRoom = filledRoom()) =>
  collect(room.administration.exportRoom(admin, "team"));

describe("export and import", () => {
  test("ARCHIVE-1: a room read from its archive holds the same updates and owners under a new epoch", async () => {
    const source = filledRoom();
    const archive = await exported(source);
    const target = administeredRoom();
    const imported = await target.administration.importRoom(inChunks(archive), admin);
    expect(contentsOf(target.storage)).toEqual(contentsOf(source.storage));
    expect(contentsOf(target.storage)[0]?.owners).toEqual([
      { client: 1, clock: 11, owner: "alice" },
      { client: 2, clock: 9, owner: "bob" },
    ]);
    expect(imported).toEqual({
      epoch: target.storage.setting("epoch"),
      documents: 3,
      updates: 6,
      bytes: archive.length,
    });
    expect(imported.epoch).not.toBe(source.storage.setting("epoch"));
    const again = administeredRoom();
    await again.administration.importRoom(inChunks(await exported(target)), admin);
    expect(contentsOf(again.storage)).toEqual(contentsOf(source.storage));
  });

  test("ARCHIVE-1: a Yjs client that was nobody's is nobody's again, not the importer's", async () => {
    const source = filledRoom();
    const [document] = source.storage.documentsAfter(0, 1);
    source.storage.commit({
      clocks: [{ document: document?.id ?? 0, client: 1, clock: 11, owner: "" }],
    });
    const target = administeredRoom();
    await target.administration.importRoom(inChunks(await exported(source)), admin);
    expect(contentsOf(target.storage)[0]?.owners).toMatchObject([{ owner: "" }, { owner: "bob" }]);
  });

  test("ARCHIVE-2: an export goes on past writes and a compaction in its midst, and loses nothing", async () => {
    const source = filledRoom();
    const big = editedDocument(30);
    for (let index = 0; index < 40; index++) big.doc.getText("big").insert(0, `${index}`.repeat(10_000));
    source.write("shared/big", big.take());
    const stream = source.administration.exportRoom(admin, "team")[Symbol.asyncIterator]();
    const parts: Uint8Array[] = [];
    const pull = async () => {
      const { value, done } = await stream.next();
      if (!done) parts.push(value);
      return !done;
    };
    await pull();
    await pull();
    big.doc.getText("big").delete(5, 100_000);
    source.write("shared/big", big.take());
    source.write("shared/later", pageUpdatesOfText(41));
    compact(source.storage, source.storage.documentNamed("shared/big")?.id ?? 0, big.doc);
    while (await pull());
    const target = administeredRoom();
    await target.administration.importRoom(
      inChunks(new Uint8Array(parts.flatMap((part) => [...part]))),
      admin,
    );
    const [notes, page, register, copy] = contentsOf(target.storage);
    expect([notes, page, register]).toEqual(contentsOf(source.storage).slice(0, 3));
    const replica = replicaOf(copy?.updates ?? []);
    const before = "39".repeat(10_000);
    // Read before the deletion or after it, never half of either.
    expect([400_000 + 300_000, 600_000]).toContain(replica.getText("big").length);
    expect(replica.getText("big").toString().slice(0, 5)).toBe(before.slice(0, 5));
  });

  test("ARCHIVE-3: an export whose room is deleted meanwhile fails, and what came of it is no archive", async () => {
    const source = filledRoom();
    const parts: Uint8Array[] = [];
    const read = async () => {
      for await (const part of source.administration.exportRoom(admin, "team")) {
        parts.push(part);
        source.administration.deleteRoom(admin);
      }
    };
    expect(await codeOf(read())).toBe("edge/unavailable");
    const target = administeredRoom();
    const cut = inChunks(new Uint8Array(parts.flatMap((part) => [...part])));
    expect(await codeOf(target.administration.importRoom(cut, admin))).toBe("edge/invalid-archive");
  });

  test("ARCHIVE-9: neither end holds more than a block and a commit of a long archive", async () => {
    const source = administeredRoom();
    const value = "x".repeat(1_000);
    for (let client = 1; client <= 60; client++) {
      source.write(pageOf(client), pageUpdates(client, Array(100).fill(value)));
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.administration.exportRoom(admin, "team")) chunks.push(chunk);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(maxBlockBytes);
    const storage = createInMemoryStorage();
    let pulled = 0;
    let ahead = 0;
    async function* watched() {
      for (const chunk of chunks) {
        ahead = Math.max(ahead, pulled - storage.size().bytes);
        pulled += chunk.length;
        yield chunk;
      }
    }
    await administeredRoom(storage).administration.importRoom(watched(), admin);
    expect(pulled).toBeGreaterThan(6_000_000);
    expect(ahead).toBeLessThan(1024 * 1024 + maxBlockBytes);
  });
});

describe("what is no archive", () => {
  async function refusedOf(bytes: Uint8Array): Promise<string | undefined> {
    const target = administeredRoom();
    const code = await codeOf(target.administration.importRoom(inChunks(bytes), admin));
    expect(remainsOf(target.storage)).toEqual(nothing);
    expect(target.administration.audit(0, 10)).toMatchObject([{ subject: "import", verdict: code }]);
    return code;
  }

  test("ARCHIVE-4: cut short anywhere, nothing is imported", async () => {
    const archive = await exported();
    for (let length = 0; length < archive.length; length++) {
      expect(await refusedOf(archive.slice(0, length))).toBe("edge/invalid-archive");
    }
  });

  test("ARCHIVE-4: with any byte changed, or with one more, nothing is imported", async () => {
    const archive = await exported();
    for (let index = 0; index < archive.length; index++) {
      const damaged = archive.slice();
      damaged[index] = (damaged[index] ?? 0) ^ (1 << (index % 8));
      expect(await refusedOf(damaged)).toBe("edge/invalid-archive");
    }
    expect(await refusedOf(new Uint8Array([...archive, 0]))).toBe("edge/invalid-archive");
  });

  const header: ArchiveRecord = {
    type: "header",
    room: "team",
    epoch: "e",
    head: 1,
    madeAt: 1,
    relay: "0.1.0",
  };
  const lane: ArchiveRecord = { type: "document", name: pageOf(7) };
  const owned: ArchiveRecord = { type: "owned", owner: "anon", clients: [{ client: 7, clock: 2 }] };
  const [one, two] = pageUpdates(7, ["one", "two"]) as [Uint8Array, Uint8Array];
  const updates: ArchiveRecord[] = [one, two].map((update) => ({ type: "update", update }));
  const end: ArchiveRecord = { type: "end", documents: 1, updates: 2 };
  const whole = [header, lane, owned, ...updates, end];

  async function archiveOf(records: readonly ArchiveRecord[]): Promise<Uint8Array> {
    return collect(writeBlocks(records.map(encodeRecord)));
  }

  test("ARCHIVE-5: control: the records that the cases below spoil are an archive", async () => {
    const target = administeredRoom();
    await target.administration.importRoom(inChunks(await archiveOf(whole)), admin);
    expect(target.storage.size().rows).toBeGreaterThan(0);
  });

  const replaced = (record: ArchiveRecord, by: readonly ArchiveRecord[]) =>
    whole.flatMap((each) => (each === record ? by : [each]));
  const gc: ArchiveRecord = { type: "update", update: new Uint8Array([1, 1, 7, 0, 0, 200, 1, 0]) };
  const bob: ArchiveRecord = { type: "owned", owner: "bob", clients: [{ client: 7, clock: 2 }] };
  const more: ArchiveRecord = { type: "owned", owner: "anon", clients: [{ client: 9, clock: 1 }] };
  const dropped: ArchiveRecord = {
    type: "dropped",
    writer: "anon.planner.x7",
    pages: [{ number: 3, client: 9 }],
  };
  const cases: [string, readonly ArchiveRecord[]][] = [
    ["nothing at all", []],
    ["no header", whole.slice(1)],
    ["two headers", [header, ...whole]],
    ["no end", whole.slice(0, -1)],
    ["records after the end", [...whole, lane]],
    ["an end that counts more updates", replaced(end, [{ type: "end", documents: 1, updates: 3 }])],
    ["an end that counts more documents", replaced(end, [{ type: "end", documents: 2, updates: 2 }])],
    ["a document twice", replaced(end, [lane, { type: "end", documents: 2, updates: 2 }])],
    ["a name that no document has", replaced(lane, [{ type: "document", name: "anything" }])],
    ["an update before any document", replaced(lane, [])],
    ["owners before any document", [header, owned, lane, ...updates, end]],
    ["owners after an update", [header, lane, ...updates, owned, end]],
    ["a client with two owners", replaced(owned, [owned, owned])],
    ["a lane's client given to another principal", replaced(owned, [bob])],
    ["a client without updates", replaced(owned, [owned, more])],
    ["a client without an owner", replaced(owned, [])],
    ["a clock that the updates do not reach", [header, lane, owned, updates[0] as ArchiveRecord, end]],
    ["an update that the gate refuses", replaced(updates[1] as ArchiveRecord, [gc])],
    ["dropped pages before the documents", [header, dropped, ...whole.slice(1)]],
    ["a document after dropped pages", replaced(end, [dropped, lane, end])],
    ["dropped pages of a writer without a register", replaced(end, [dropped, end])],
    ["updates out of order", [header, lane, owned, ...updates.toReversed(), end]],
  ];
  test.each(cases)("ARCHIVE-5: %s", async (_, records) => {
    expect(await refusedOf(await archiveOf(records))).toBe("edge/invalid-archive");
  });

  test("ARCHIVE-5: a principal that cannot be owns no client of a shared document", async () => {
    const text = editedDocument(7);
    text.doc.getText("t").insert(0, "ab");
    const [update] = text.take() as [Uint8Array];
    const records = (owner: string): ArchiveRecord[] => [
      header,
      { type: "document", name: "shared" },
      { type: "owned", owner, clients: [{ client: 7, clock: 2 }] },
      { type: "update", update },
      { type: "end", documents: 1, updates: 1 },
    ];
    expect(await refusedOf(await archiveOf(records("no id")))).toBe("edge/invalid-archive");
    const target = administeredRoom();
    await target.administration.importRoom(inChunks(await archiveOf(records("alice"))), admin);
    const [document] = contentsOf(target.storage);
    expect(document?.owners).toEqual([{ client: 7, clock: 2, owner: "alice" }]);
  });
});

describe("an import that ends midway", () => {
  test("ARCHIVE-6: killed at any of its commits, it leaves a room without anything", async () => {
    const archive = await exported(longRoom());
    let kills = 0;
    for (let allowed = 0; ; allowed++) {
      const storage = createInMemoryStorage();
      const room = administeredRoom(mortal(storage, allowed));
      const code = await room.administration.importRoom(inChunks(archive, 50_000), admin).then(
        () => "done",
        () => "killed",
      );
      if (code === "done") break;
      kills++;
      discardUnfinishedImport(storage);
      expect(remainsOf(storage)).toEqual(nothing);
      await administeredRoom(storage).administration.importRoom(inChunks(archive, 50_000), admin);
    }
    expect(kills).toBeGreaterThan(5);
  });

  test("ARCHIVE-6: control: without the clean-up half a room would be seen", async () => {
    const archive = await exported(longRoom());
    const storage = createInMemoryStorage();
    const room = administeredRoom(mortal(storage, 4));
    await expect(room.administration.importRoom(inChunks(archive, 50_000), admin)).rejects.toThrow("killed");
    expect(remainsOf(storage)).not.toEqual(nothing);
  });

  test("ARCHIVE-6: a source that fails leaves nothing, and a deleted room deleted", async () => {
    const archive = await exported();
    const room = filledRoom();
    room.administration.deleteRoom(admin);
    async function* failing() {
      yield archive.slice(0, archive.length - 40);
      throw new TypeError("connection lost");
    }
    await expect(room.administration.importRoom(failing(), admin)).rejects.toThrow("connection lost");
    expect(remainsOf(room.storage)).toEqual(nothing);
    expect(room.administration.status().condition).toBe("deleted");
    await room.administration.importRoom(inChunks(archive), admin);
    expect(room.administration.status().condition).toBe("open");
  });

  test("ARCHIVE-7: only into a room without rows, one at a time, and a deletion cuts it short", async () => {
    const archive = await exported();
    const full = filledRoom();
    expect(await codeOf(full.administration.importRoom(inChunks(archive), admin))).toBe(
      "edge/room-not-empty",
    );
    expect(contentsOf(full.storage)).toHaveLength(3);

    const room = administeredRoom();
    let deleted = false;
    async function* interrupted() {
      yield archive.slice(0, 100);
      expect(room.administration.status().condition).toBe("importing");
      expect(await codeOf(room.administration.importRoom(inChunks(archive), admin))).toBe("edge/unavailable");
      expect(await codeOf(() => room.administration.exportRoom(admin, "team"))).toBe("edge/unavailable");
      room.administration.deleteRoom(admin);
      deleted = true;
      yield archive.slice(100);
    }
    expect(await codeOf(room.administration.importRoom(interrupted(), admin))).toBe("edge/unavailable");
    expect(deleted).toBe(true);
    expect(remainsOf(room.storage)).toEqual(nothing);
    expect(room.administration.status().condition).toBe("deleted");
  });
});

/** A room whose archive takes several commits to read. */
function longRoom() {
  const room = filledRoom();
  for (let client = 11; client <= 16; client++) {
    room.write(pageOf(client), pageUpdates(client, Array(5).fill("x".repeat(100_000))));
  }
  return room;
}

/** A storage whose host is killed once so many commits were made: that one and all after it fail. */
function mortal(storage: RoomStorage, commits: number): RoomStorage {
  let left = commits;
  return {
    ...storage,
    commit(changes) {
      if (left-- <= 0) throw new Error("killed");
      storage.commit(changes);
    },
  };
}

/** What compaction does: one snapshot, in pieces, takes the place of every row of a document. */
function compact(storage: RoomStorage, document: number, doc: Y.Doc): void {
  const sequence = Math.max(...[...storage.rowsOf(document)].map((row) => row.sequence));
  const rows = sliceUpdate(Y.encodeStateAsUpdate(doc), { structs: 1 }).map((update, piece) => {
    const payload = encodeDocumentMessage({ type: "update", update });
    return { sequence, piece, document, parts: encodeFrame([{ channel: document, payload }]) };
  });
  storage.commit({ removeRows: [{ document, upTo: sequence }], rows });
}

function pageUpdatesOfText(client: number): Uint8Array[] {
  const text = editedDocument(client);
  text.doc.getText("t").insert(0, "later");
  return text.take();
}

function replicaOf(messages: readonly { type: string }[]): Y.Doc {
  const doc = new Y.Doc();
  for (const message of messages) if ("update" in message) Y.applyUpdate(doc, message.update as Uint8Array);
  return doc;
}
