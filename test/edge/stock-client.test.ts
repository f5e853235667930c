import { afterEach, describe, expect, test } from "vitest";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import {
  decodeDocumentMessage,
  emptyStateVector,
  encodeDocumentMessage,
  maxFrameBytes,
} from "../../src/protocol/index.ts";
import { editedDocument, remote } from "../edge-core/documents.ts";
import { frameOf, itemsOf, updateFrame } from "../edge-core/wire.ts";
import { countRows, join, open, type RelayClient, wake } from "./relay-client.ts";
import { createStockSocket, eventually, type StockSocket } from "./stock-websocket.ts";

const base = "ws://localhost:8787";
let rooms = 0;
const freshRoom = () => `stock-${rooms++}`;
const open$ = new Set<WebsocketProvider>();

afterEach(() => {
  for (const provider of open$) provider.destroy();
  open$.clear();
});

interface Stock {
  doc: Y.Doc;
  provider: WebsocketProvider;
  sockets: StockSocket[];
}

async function connect(room: string, { name = "shared", doc = new Y.Doc() } = {}): Promise<Stock> {
  const { Socket, sockets } = createStockSocket();
  const provider = new WebsocketProvider(`${base}/v1/rooms/${room}/docs`, name, doc, {
    WebSocketPolyfill: Socket,
    disableBc: true,
    maxBackoffTime: 50,
  });
  open$.add(provider);
  if (!provider.synced) await new Promise<void>((resolve) => provider.once("sync", () => resolve()));
  return { doc, provider, sockets };
}

function awareness({ provider }: Stock, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition()) return;
      provider.awareness.off("change", look);
      resolve();
    };
    provider.awareness.on("change", look);
    look();
  });
}

function textOf(doc: Y.Doc): string {
  return doc.getText("t").toString();
}

function applied(client: RelayClient): Y.Doc {
  const doc = new Y.Doc();
  for (const { update } of itemsOf(client.items, "update")) Y.applyUpdate(doc, update, remote);
  return doc;
}

describe("y-websocket's own provider", () => {
  test("STOCK-1: it converges with a room client, both ways", async () => {
    const room = freshRoom();
    const client = await join(room);
    const ours = editedDocument();
    ours.doc.getText("t").insert(0, "ours ");
    client.send(updateFrame("shared", ours.take()));
    await client.item("acknowledge");

    const stock = await connect(room);
    expect(textOf(stock.doc)).toBe("ours ");
    stock.doc.getText("t").insert(5, "theirs");
    await client.item("update");
    for (const { update } of itemsOf(client.items, "update")) Y.applyUpdate(ours.doc, update, remote);
    expect(textOf(ours.doc)).toBe("ours theirs");

    ours.doc.getText("t").insert(0, "> ");
    client.send(updateFrame("shared", ours.take(), 2));
    await eventually(stock.doc, () => textOf(stock.doc) === "> ours theirs");
    expect(textOf(applied(await join(room)))).toBe("> ours theirs");
  });

  test("STOCK-2: a cut heals: what both sides wrote meanwhile is on both", async () => {
    const room = freshRoom();
    const [a, b] = [await connect(room), await connect(room)];
    a.doc.getText("t").insert(0, "before ");
    await eventually(b.doc, () => textOf(b.doc) === "before ");
    a.provider.disconnect();
    a.doc.getText("t").insert(7, "a");
    b.doc.getText("t").insert(7, "b");
    a.provider.connect();
    await eventually(a.doc, () => textOf(a.doc).length === 9);
    await eventually(b.doc, () => textOf(b.doc).length === 9);
    expect(textOf(a.doc)).toBe(textOf(b.doc));
    const late = await connect(room);
    expect(textOf(late.doc)).toBe(textOf(a.doc));
  });

  test("STOCK-2: a socket that breaks is replaced, and nothing is lost", async () => {
    const room = freshRoom();
    const [a, b] = [await connect(room), await connect(room)];
    const resynced = new Promise<void>((resolve) => {
      a.provider.on("sync", (state: boolean) => state && resolve());
    });
    a.sockets.at(-1)?.break();
    a.doc.getText("t").insert(0, "written while away");
    await resynced;
    await eventually(b.doc, () => textOf(b.doc) === "written while away");
  });

  test("STOCK-3: a named shared document is one of its own, with the slash encoded or not", async () => {
    const room = freshRoom();
    const plain = await connect(room);
    const [a, b] = [
      await connect(room, { name: "shared/report" }),
      await connect(room, { name: encodeURIComponent("shared/report") }),
    ];
    a.doc.getText("t").insert(0, "report");
    await eventually(b.doc, () => textOf(b.doc) === "report");
    plain.doc.getText("t").insert(0, "main");
    expect(textOf((await connect(room)).doc)).toBe("main");
  });

  test("STOCK-4: after the room slept, live updates go on", async () => {
    const room = freshRoom();
    const [a, b] = [await connect(room), await connect(room)];
    await wake(room);
    a.doc.getText("t").insert(0, "awake");
    await eventually(b.doc, () => textOf(b.doc) === "awake");
  });
});

test("STOCK-14: what a client brings along from before is cut into updates that the gate takes", async () => {
  const room = freshRoom();
  const client = await join(room);
  const doc = new Y.Doc();
  for (let index = 0; index < 2_500; index++) doc.getMap("m").set(`k${index}`, index);
  await connect(room, { doc });
  await client.until(() => applied(client).getMap("m").size === 2_500);
  expect(itemsOf(client.items, "update").length).toBeGreaterThan(2);
});

describe("awareness", () => {
  test("STOCK-5: states travel between stock and room clients, under ids of the relay", async () => {
    const room = freshRoom();
    const client = await join(room);
    const stock = await connect(room);
    stock.provider.awareness.setLocalState({ user: "stock" });
    const named = () =>
      itemsOf(client.items, "presences")
        .flatMap(({ entries }) => entries)
        .find(({ state }) => state === JSON.stringify({ user: "stock" }));
    await client.until(() => named() !== undefined);
    expect(named()?.id).not.toBe(stock.doc.clientID);

    client.send(frameOf({ type: "presence", state: JSON.stringify({ user: "room" }) }));
    const id = (await client.item("welcome")).presence;
    await awareness(stock, () => stock.provider.awareness.getStates().has(id));
    expect(stock.provider.awareness.getStates().get(id)).toEqual({ user: "room" });
    expect([...stock.provider.awareness.getStates().keys()].sort()).toEqual([id, stock.doc.clientID].sort());

    client.leave();
    await awareness(stock, () => !stock.provider.awareness.getStates().has(id));
  });

  test("STOCK-6: two stock clients see each other once, and a departure at once", async () => {
    const room = freshRoom();
    const [a, b] = [await connect(room), await connect(room)];
    a.provider.awareness.setLocalState({ user: "a" });
    b.provider.awareness.setLocalState({ user: "b" });
    const users = (stock: Stock) =>
      [...stock.provider.awareness.getStates().values()].map((state) => state["user"]).sort();
    await awareness(a, () => users(a).includes("b"));
    await awareness(b, () => users(b).includes("a"));
    expect(users(a)).toEqual(["a", "b"]);
    expect(users(b)).toEqual(["a", "b"]);
    const late = await connect(room);
    await awareness(late, () => users(late).includes("a") && users(late).includes("b"));
    a.provider.destroy();
    await awareness(b, () => !users(b).includes("a"));
  });

  test("STOCK-7: of a replica of ours a stock client is shown the application's awareness alone", async () => {
    const room = freshRoom();
    const client = await join(room);
    const stock = await connect(room);
    const presence = { session: "abcdefghijk", writers: [], awareness: { cursor: 3 } };
    client.send(frameOf({ type: "presence", state: JSON.stringify(presence) }));
    const id = (await client.item("welcome")).presence;
    await awareness(stock, () => stock.provider.awareness.getStates().has(id));
    expect(stock.provider.awareness.getStates().get(id)).toEqual({ cursor: 3 });
  });
});

describe("bad input", () => {
  const update = (bytes: Uint8Array) => encodeDocumentMessage({ type: "update", update: bytes });
  const cases: [string, number, string, string | Uint8Array][] = [
    ["a text frame", 4400, "protocol/malformed-frame", "text"],
    ["an unknown message", 4400, "protocol/malformed-frame", new Uint8Array([42])],
    ["an update that the gate refuses", 4400, "gate/bounds", update(new Uint8Array([9, 9, 9]))],
    ["a message past 1 MiB", 4413, "protocol/frame-too-large", new Uint8Array(maxFrameBytes + 1)],
  ];

  test.each(cases)("STOCK-8: %s closes with %i and disturbs nobody", async (_, code, reason, message) => {
    const room = freshRoom();
    const [a, b] = [await connect(room), await connect(room)];
    const bad = await open(`/v1/rooms/${room}/docs/shared`);
    bad.send(message);
    await bad.until(() => bad.closed !== undefined);
    expect(bad.closed).toEqual({ code, reason });
    a.doc.getText("t").insert(0, "still here");
    await eventually(b.doc, () => textOf(b.doc) === "still here");
  });

  test.each(["register/anon.a.b", "lane", "shared/a/b", "shared%2F", "SHARED"])(
    "STOCK-9: the document %s closes with 4404",
    async (name) => {
      const client = await open(`/v1/rooms/${freshRoom()}/docs/${name}`);
      await client.until(() => client.closed !== undefined);
      expect(client.closed).toEqual({ code: 4404, reason: "protocol/unknown-document" });
    },
  );

  test("STOCK-10: a gap is answered with sync step 1, and stores nothing", async () => {
    const room = freshRoom();
    const stock = await open(`/v1/rooms/${room}/docs/shared`);
    const source = editedDocument(5);
    source.doc.getText("t").insert(0, "a");
    source.doc.getText("t").insert(1, "b");
    const [, second] = source.take();
    await stock.until(() => stock.raw.length === 2);
    stock.send(update(second as Uint8Array));
    await stock.until(() => stock.raw.length === 3);
    expect(decodeDocumentMessage(stock.raw[2] as Uint8Array)).toEqual({
      type: "step1",
      stateVector: emptyStateVector,
    });
    expect(await countRows(room)).toBe(0);
  });
});
