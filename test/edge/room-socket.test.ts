import { SELF } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import {
  encodeDocumentMessage,
  maxFrameBytes,
  roomSubprotocol,
  socketPath,
} from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates, readPage, remote } from "../edge-core/documents.ts";
import { frameOf, type Item, itemsOf, joinFrame, updateFrame } from "../edge-core/wire.ts";
import {
  countRows,
  inRoom,
  join,
  open,
  openRoomSocket,
  origin,
  type RelayClient,
  upgrade,
  wake,
} from "./relay-client.ts";

const page = pageOf(7);
const [first, second] = pageUpdates(7, ["one", "two"]) as [Uint8Array, Uint8Array];
let rooms = 0;
const freshRoom = () => `room-${rooms++}`;

function updatesOf(client: RelayClient): Uint8Array[] {
  return itemsOf(client.items, "update").map(({ update }) => update);
}

function presences(items: readonly Item[]) {
  return itemsOf(items, "presences").flatMap(({ entries }) => entries);
}

describe("joining", () => {
  test("RELAY-1, RELAY-2: join, resume by cursor, and another epoch", async () => {
    const room = freshRoom();
    const writer = await join(room);
    const { epoch } = await writer.item("welcome");
    writer.send(updateFrame(page, [first]));
    await writer.item("acknowledge");
    writer.send(updateFrame(page, [second], 2));
    await writer.until(() => itemsOf(writer.items, "acknowledge").length === 2);
    expect(updatesOf(await join(room))).toEqual([first, second]);
    const back = await join(room, epoch, 1);
    expect((await back.item("welcome")).resumed).toBe(true);
    expect(updatesOf(back)).toEqual([second]);
    const stranger = await join(room, "elsewhere", 1);
    expect((await stranger.item("welcome")).resumed).toBe(false);
    expect(updatesOf(stranger)).toEqual([first, second]);
  });

  test("RELAY-22: two documents converge through the relay", async () => {
    const room = freshRoom();
    const replicas = await Promise.all(
      [1, 2].map(async (id) => ({ ...editedDocument(id), client: await join(room) })),
    );
    const write = async ({ doc, take, client }: (typeof replicas)[number]) => {
      for (let round = 1; round <= 20; round++) {
        doc.getText("t").insert(0, `${doc.clientID}:${round} `);
        client.send(updateFrame("shared", take(), round));
        // One at a time: the pool hands a burst of messages of one socket to the object in any order.
        await client.until(() => itemsOf(client.items, "acknowledge").at(-1)?.number === round);
      }
    };
    await Promise.all(replicas.map(write));
    for (const { doc, client } of replicas) {
      await client.until(() => updatesOf(client).length === 20);
      for (const update of updatesOf(client)) Y.applyUpdate(doc, update, remote);
    }
    const texts = replicas.map(({ doc }) => doc.getText("t").toString());
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).toContain("2:20 ");
    const late = new Y.Doc();
    for (const update of updatesOf(await join(room))) Y.applyUpdate(late, update, remote);
    expect(late.getText("t").toString()).toBe(texts[0]);
  });
});

describe("rows", () => {
  test("RELAY-6: nothing is acknowledged that SQLite does not hold", async () => {
    const room = freshRoom();
    const writer = await join(room);
    expect(await countRows(room)).toBe(0);
    writer.send(updateFrame(page, [first]));
    await writer.item("acknowledge");
    expect(await countRows(room)).toBe(1);
    const stored = await inRoom(room, (sql) => {
      const [row] = sql.exec("SELECT parts FROM rows").toArray();
      return new Uint8Array(row?.["parts"] as ArrayBuffer);
    });
    const message = encodeDocumentMessage({ type: "update", update: first });
    expect([...stored].join()).toContain([...message].join());
  });

  test("RELAY-7: a burst costs fewer frames than updates, one a reader and turn", async () => {
    const room = freshRoom();
    const writer = await join(room);
    const reader = await join(room);
    const before = reader.frames.length;
    // Each to a document of its own, since the pool may reorder a burst.
    for (let client = 1; client <= 100; client++) {
      writer.send(updateFrame(pageOf(client), pageUpdates(client, [client]), client));
    }
    await reader.until(() => updatesOf(reader).length === 100);
    const frames = reader.frames.slice(before);
    expect(frames.length).toBeLessThan(50);
    for (const frame of frames) expect(itemsOf(frame, "cursor")).toHaveLength(1);
    expect(itemsOf(reader.items, "cursor").at(-1)?.sequence).toBe(await countRows(room));
  });

  test("RELAY-10: a write that SQLite refuses is not acknowledged; the object starts anew", async () => {
    const room = freshRoom();
    const writer = await join(room);
    await inRoom(room, (sql) =>
      sql.exec("CREATE TRIGGER broken BEFORE INSERT ON rows BEGIN SELECT RAISE(ABORT, 'broken'); END"),
    );
    writer.send(updateFrame(page, [first]));
    await writer.until(() => writer.closed !== undefined);
    expect(itemsOf(writer.items, "acknowledge")).toEqual([]);
    await inRoom(room, (sql) => sql.exec("DROP TRIGGER broken"));
    const back = await join(room);
    back.send(updateFrame(page, [first]));
    await back.item("acknowledge");
    expect(await countRows(room)).toBe(1);
  });

  test("RELAY-12: of two contents for one clock every replica holds the same (THREATS 1)", async () => {
    const room = freshRoom();
    const [honest, forger, reader] = await Promise.all([join(room), join(room), join(room)]);
    const forged = pageUpdates(7, ["forged", "forged too", "and on"]);
    honest.send(updateFrame(page, [first, second]));
    await honest.item("acknowledge");
    forger.send(updateFrame(page, forged));
    await forger.item("acknowledge");
    await reader.until(() => updatesOf(reader).length === 3);
    const read = readPage(updatesOf(reader));
    expect(read).toEqual(["one", "two", "and on"]);
    expect(readPage(updatesOf(await join(room)))).toEqual(read);
    // The control: plain Yjs forks for ever on the same bytes, with equal state vectors.
    expect(readPage([...forged.slice(0, 2), first, second])).toEqual(["forged", "forged too"]);
  });

  test("RELAY-13: a gap asks for a resync", async () => {
    const writer = await join(freshRoom());
    writer.send(updateFrame(page, [second]));
    expect((await writer.item("refuse")).code).toBe("gate/gap");
    expect((await writer.item("step1")).name).toBe(page);
    await writer.item("acknowledge");
  });
});

describe("bad input", () => {
  const cases: [string, number, string, Uint8Array | string][] = [
    ["a text frame", 4400, "protocol/malformed-frame", "text"],
    ["a broken frame", 4400, "protocol/malformed-frame", new Uint8Array([0, 9, 1])],
    [
      "an unknown channel",
      4400,
      "protocol/unknown-channel",
      frameOf({ channel: 5, message: { type: "update", update: first } }),
    ],
    [
      "an unknown document",
      4404,
      "protocol/unknown-document",
      frameOf({ type: "name", channel: 1, name: "lane/x/y" }),
    ],
    ["an oversized frame", 4413, "protocol/frame-too-large", new Uint8Array(maxFrameBytes + 1)],
    [
      "a presence that is no object",
      4400,
      "protocol/malformed-frame",
      frameOf({ type: "presence", state: "7" }),
    ],
  ];

  test.each(cases)("RELAY-18: %s closes with %i and disturbs nobody", async (_, code, reason, message) => {
    const room = freshRoom();
    const [bad, writer, reader] = await Promise.all([join(room), join(room), join(room)]);
    bad.send(message);
    await bad.until(() => bad.closed !== undefined);
    expect(bad.closed).toEqual({ code, reason });
    expect(bad.items.at(-1)).toMatchObject({ type: "problem", code: reason });
    writer.send(updateFrame(page, [first]));
    await reader.item("update");
  });

  test("RELAY-18: another version closes with 4406", async () => {
    const old = await openRoomSocket(freshRoom());
    old.send(frameOf({ type: "join", version: 9, epoch: "", sequence: 0 }));
    await old.until(() => old.closed !== undefined);
    expect(old.closed?.code).toBe(4406);
  });

  test("HTTP-1: the subprotocol is echoed, and one that the relay does not speak closes with 4406", async () => {
    const response = await upgrade(socketPath(freshRoom()), [roomSubprotocol, "bearer.x"]);
    expect(response.headers.get("sec-websocket-protocol")).toBe(roomSubprotocol);
    for (const protocols of [["flockstate.v2"], ["bearer.secret"], []]) {
      const refused = await upgrade(socketPath(freshRoom()), protocols);
      expect(refused.status).toBe(101);
      expect(refused.headers.get("sec-websocket-protocol") ?? "").not.toContain("bearer");
      const client = await open(socketPath(freshRoom()), protocols);
      await client.until(() => client.closed !== undefined);
      expect(client.closed).toEqual({ code: 4406, reason: "protocol/unsupported-version" });
    }
  });

  test("HTTP-2: an invalid room closes with 4404", async () => {
    for (const path of [
      "/v1/rooms/a%20b/socket",
      "/v1/rooms/a.b/socket",
      `/v1/rooms/${"x".repeat(65)}/docs/shared`,
    ]) {
      const client = await open(path, [roomSubprotocol]);
      await client.until(() => client.closed !== undefined);
      expect(client.closed).toEqual({ code: 4404, reason: "protocol/invalid-room" });
    }
  });

  test("HTTP-3: without an upgrade the socket's address answers 426", async () => {
    const response = await SELF.fetch(`${origin}${socketPath("a")}`);
    expect(response.status).toBe(426);
    expect(await response.json()).toMatchObject({ code: "edge/upgrade-required" });
  });

  test.each(["status", "export"])("HTTP-3: an upgrade of …/%s reaches no room", async (route) => {
    const client = await open(`/v1/rooms/a/${route}`, [roomSubprotocol]);
    await client.until(() => client.closed !== undefined);
    expect(client.closed).toEqual({ code: 4400, reason: "edge/invalid-request" });
  });
});

describe("signals", () => {
  test("RELAY-20, SIG-5: a signal reaches its addressee before the update that came ahead of it in one frame", async () => {
    const room = freshRoom();
    const [writer, reader] = [await join(room), await join(room)];
    const { presence: to } = await reader.item("welcome");
    const from = reader.items.length;
    const bytes = new Uint8Array([7]);
    writer.send(
      frameOf(
        { type: "name", channel: 900, name: page },
        { channel: 900, message: { type: "update", update: first } },
        { type: "signal", to, bytes },
        { type: "mark", number: 1 },
      ),
    );
    await reader.item("update", from);
    const heard = reader.items.slice(from).filter(({ type }) => type === "signalled" || type === "update");
    expect(heard.map(({ type }) => type)).toEqual(["signalled", "update"]);
    expect(await countRows(room)).toBe(1);
  });
});

describe("presence", () => {
  const state = (name: string) => JSON.stringify({ name });

  test("PRES-1: the relay assigns id and clock, and tells everybody else", async () => {
    const room = freshRoom();
    const [a, b] = await Promise.all([join(room), join(room)]);
    const id = (await a.item("welcome")).presence;
    expect(id).not.toBe((await b.item("welcome")).presence);
    a.send(frameOf({ type: "presence", state: state("ada") }));
    await b.until(() => presences(b.items).length > 0);
    expect(presences(b.items)).toEqual([{ id, clock: 1, state: state("ada") }]);
    expect(presences(a.items)).toEqual([]);
  });

  test("PRES-2: a joiner is told of everybody, and a close removes exactly that one", async () => {
    const room = freshRoom();
    const [a, b] = await Promise.all([join(room), join(room)]);
    a.send(frameOf({ type: "presence", state: state("ada") }));
    b.send(frameOf({ type: "presence", state: state("bob") }));
    await a.until(() => presences(a.items).length > 0);
    await b.until(() => presences(b.items).length > 0);
    const c = await join(room);
    expect(
      presences(c.items)
        .map((entry) => entry.state)
        .sort(),
    ).toEqual([state("ada"), state("bob")]);
    const gone = (await a.item("welcome")).presence;
    const before = c.items.length;
    a.leave();
    await c.item("presences", before);
    expect(presences(c.items.slice(before))).toEqual([{ id: gone, clock: 2, state: undefined }]);
    expect(presences((await join(room)).items).map((entry) => entry.state)).toEqual([state("bob")]);
  });

  test("PRES-3: into a room that slept a joiner sees everybody, and a close then removes exactly that one", async () => {
    const room = freshRoom();
    const [a, b] = await Promise.all([join(room), join(room)]);
    a.send(frameOf({ type: "presence", state: state("ada") }));
    b.send(frameOf({ type: "presence", state: state("bob") }));
    await a.until(() => presences(a.items).length > 0);
    await b.until(() => presences(b.items).length > 0);
    await wake(room);
    const c = await join(room);
    expect(
      presences(c.items)
        .map((entry) => entry.state)
        .sort(),
    ).toEqual([state("ada"), state("bob")]);
    expect((await c.item("welcome")).presence).toBeGreaterThan((await b.item("welcome")).presence);
    await wake(room);
    const before = c.items.length;
    b.leave();
    await c.item("presences", before);
    expect(presences(c.items.slice(before))).toEqual([
      { id: (await b.item("welcome")).presence, clock: 2, state: undefined },
    ]);
  });

  test("RELAY-23: after a sleep an open socket goes on without a new join", async () => {
    const room = freshRoom();
    const [writer, reader] = await Promise.all([join(room), join(room)]);
    writer.send(updateFrame(page, [first]));
    await reader.item("update");
    await wake(room);
    writer.send(updateFrame(page, [second], 2));
    await reader.until(() => updatesOf(reader).length === 2);
    expect(readPage(updatesOf(reader))).toEqual(["one", "two"]);
    writer.send(joinFrame());
    await writer.until(() => writer.closed !== undefined);
    expect(writer.closed?.code).toBe(4409);
  });
});
