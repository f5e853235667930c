import { afterEach, describe, expect, test } from "vitest";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { encodeDocumentMessage, scanUpdate } from "../../src/protocol/index.ts";
import { itemsOf, updateFrame } from "../edge-core/wire.ts";
import { buildUpdate, content, type StructSpec } from "../protocol/gate/build.ts";
import { emptyContext } from "../protocol/gate/contexts.ts";
import { attacks } from "../threats/attacks.ts";
import { join, open } from "./relay-client.ts";
import { createStockSocket, eventually } from "./stock-websocket.ts";

const providers = new Set<WebsocketProvider>();
let rooms = 0;
const freshRoom = () => `threats-${rooms++}`;

afterEach(() => {
  for (const provider of providers) provider.destroy();
  providers.clear();
});

async function connect(room: string, doc = new Y.Doc()): Promise<Y.Doc> {
  const { Socket } = createStockSocket();
  const url = `ws://localhost:8787/v1/rooms/${room}/docs`;
  const provider = new WebsocketProvider(url, "shared", doc, { WebSocketPolyfill: Socket, disableBc: true });
  providers.add(provider);
  if (!provider.synced) await new Promise<void>((resolve) => provider.once("sync", () => resolve()));
  return doc;
}

function codeOf(structs: StructSpec[]): string {
  const update = buildUpdate([{ client: 1, clock: 0, structs }]);
  const verdict = scanUpdate(update, { profile: "shared", context: emptyContext });
  if (!verdict.ok) return verdict.code;
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  expect(doc.store.pendingStructs).toBeNull();
  Y.applyUpdate(new Y.Doc(), Y.encodeStateAsUpdate(doc));
  return "accepted";
}

describe("the boundaries of nesting, in workerd", () => {
  const nestedAny = (depth: number) => [...Array.from({ length: depth }, () => [117, 1]).flat(), 126];
  const nestedJson = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

  test.each<[string, (depth: number) => StructSpec]>([
    ["a value", (depth) => ({ ...content.rawAny(1, nestedAny(depth)), parent: "a" })],
    ["an embed", (depth) => ({ ...content.embed(nestedJson(depth)), parent: "t" })],
    ["a format", (depth) => ({ ...content.format("bold", nestedJson(depth)), parent: "t" })],
  ])("THREAT-6: %s of 32 levels passes and encodes, one of 33 or 5,000 does not", (_, make) => {
    expect([32, 33, 5_000].map((depth) => codeOf([make(depth)]))).toEqual([
      "accepted",
      "gate/depth",
      "gate/depth",
    ]);
  });

  test("THREAT-7: types of 4 levels pass and encode, of 5 or 900 do not", () => {
    const types = (count: number) =>
      Array.from(
        { length: count },
        (_, clock): StructSpec => ({ ...content.type(0), parent: clock === 0 ? "a" : [1, clock - 1] }),
      );
    expect([4, 5, 900].map((count) => codeOf(types(count)))).toEqual([
      "accepted",
      "gate/depth",
      "gate/depth",
    ]);
  });
});

describe("a malicious client of the relay, in workerd", () => {
  const inShared = attacks.filter(
    ({ document, relay }) => document === "shared" && relay !== "gate/not-owner",
  );

  test("THREAT-4: every attack by one update leaves the room as it was, and its members go on", async () => {
    const room = freshRoom();
    const [a, b] = [await connect(room), await connect(room)];
    a.getText("t").insert(0, "before");
    await eventually(b, () => b.getText("t").toString() === "before");
    const victim = { client: a.clientID, clock: Y.getState(a.store, a.clientID) };
    const mallory = await join(room);
    let mark = 0;
    const expected: string[] = [];
    for (const { update, relay } of inShared) {
      mallory.send(updateFrame("shared", [update(victim)], ++mark));
      if (relay !== "silence") expected.push(relay);
      // One by one: the runtime of these tests may hand over a burst in another order.
      await mallory.until(() => itemsOf(mallory.items, "acknowledge").at(-1)?.number === mark);
    }
    expect(new Set(itemsOf(mallory.items, "refuse").map(({ code }) => code))).toEqual(new Set(expected));
    const stock = await open(`/v1/rooms/${room}/docs/shared`);
    stock.send(encodeDocumentMessage({ type: "update", update: Uint8Array.of(1, 2, 3) }));
    await stock.until(() => stock.closed !== undefined);
    a.getText("t").insert(6, " and after");
    await eventually(b, () => b.getText("t").toString() === "before and after");
    expect((await connect(room)).getText("t").toString()).toBe("before and after");
  });
});

describe("a stock client that made 5,000 edits offline, in workerd", () => {
  const edits = 5_000;

  test.each<[string, (doc: Y.Doc) => void]>([
    [
      "text with deletions",
      (doc) => {
        const text = doc.getText("t");
        for (let edit = 0; edit < edits; edit++) {
          if (edit % 3 === 2) text.delete(edit % (text.length - 3), 2);
          else text.insert((edit * 7) % (text.length + 1), `w${edit} `);
        }
      },
    ],
    [
      "sets of a map",
      (doc) => {
        for (let edit = 0; edit < edits; edit++) doc.getMap("m").set(`k${edit}`, edit);
      },
    ],
  ])("THREAT-8: converges: %s", async (_, write) => {
    const room = freshRoom();
    const there = await connect(room);
    there.getText("t").insert(0, "here meanwhile ");
    const away = new Y.Doc();
    write(away);
    await connect(room, away);
    const size = away.getMap("m").size;
    const isEqual = () => Y.equalSnapshots(Y.snapshot(there), Y.snapshot(away));
    await eventually(there, () => there.getMap("m").size === size && isEqual());
    await eventually(away, isEqual);
    expect(there.getText("t").toString()).toBe(away.getText("t").toString());
    const late = await connect(room);
    await eventually(late, () => Y.equalSnapshots(Y.snapshot(late), Y.snapshot(away)));
    expect(late.getMap("m").toJSON()).toEqual(away.getMap("m").toJSON());
  });
});
