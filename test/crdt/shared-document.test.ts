import { describe, expect, it, onTestFinished } from "vitest";
import * as Y from "yjs";
import type { FlockError } from "../../src/base/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { openSharedDocument } from "../../src/crdt/shared/shared-document.ts";
import {
  type DocumentMessage,
  emptyStateVector,
  encodeDocumentMessage,
  type TokenScope,
  tokenScopes,
} from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { acknowledged, createScriptedLink, refused } from "./scripted-link.ts";

type Persistence = ReturnType<typeof createInMemoryPersistence>;

let nextClient = 1;

async function open({
  persistence = createInMemoryPersistence(),
  withLink = true,
  scopes = tokenScopes,
}: {
  persistence?: Persistence;
  withLink?: boolean;
  scopes?: readonly TokenScope[];
} = {}) {
  const link = createScriptedLink();
  link.scopes = scopes;
  const clock = createManualClock();
  const problems: FlockError[] = [];
  const records = await persistence.open("records");
  const document = await openSharedDocument({
    name: "shared",
    databaseName: "document/shared",
    persistence,
    records,
    link: withLink ? link : undefined,
    clock,
    random: (length) => new Uint8Array(length).fill(nextClient++),
    onPending: () => undefined,
    onProblem: (error) => problems.push(error),
  });
  const opened = { document, link, clock, problems, persistence, records };
  onTestFinished(() => document.close());
  await settle();
  return opened;
}

const say = (message: DocumentMessage) => encodeDocumentMessage(message);
const fromRelay = (update: Uint8Array) => say({ type: "update", update });
const clocksOf = (update: Uint8Array) =>
  say({ type: "step1", stateVector: Y.encodeStateVectorFromUpdate(update) });
const textOf = (document: Y.Doc) => document.getText("t").toString();

function someoneWrites(text: string, base?: Uint8Array): Uint8Array {
  const other = new Y.Doc();
  other.clientID = 900_000 + nextClient++;
  if (base) Y.applyUpdate(other, base);
  other.getText("t").insert(other.getText("t").length, text);
  return Y.encodeStateAsUpdate(other);
}

/** What the relay would hold after these uploads. */
function relayText(uploads: readonly { update: Uint8Array }[]): string {
  const document = new Y.Doc();
  for (const { update } of uploads) Y.applyUpdate(document, update);
  return textOf(document);
}

describe("shared documents and the relay", () => {
  it("SHARED-1: a clean document asks for nothing and uploads nothing at its join", async () => {
    const { document, link } = await open();
    document.joined("epoch");
    await settle();
    expect([link.sent, link.uploads, document.pending]).toEqual([[], [], 0]);
  });

  it("SHARED-1: what the relay sends is applied, and not sent back", async () => {
    const { document, link } = await open();
    expect(document.receiveFromRelay(fromRelay(someoneWrites("theirs")))).toEqual({ result: "applied" });
    document.joined("epoch");
    await settle();
    expect([textOf(document.document), link.uploads, document.pending]).toEqual(["theirs", [], 0]);
    expect(
      document.receiveFromRelay(fromRelay(someoneWrites(" more", Y.encodeStateAsUpdate(document.document)))),
    ).toEqual({
      result: "applied",
    });
    await settle();
    expect([textOf(document.document), link.uploads]).toEqual(["theirs more", []]);
  });

  it("SHARED-1: a deletion alone is news", async () => {
    const { document } = await open();
    const theirs = someoneWrites("abc");
    document.receiveFromRelay(fromRelay(theirs));
    const other = new Y.Doc();
    Y.applyUpdate(other, theirs);
    let deletion = new Uint8Array() as Uint8Array;
    other.on("update", (update: Uint8Array) => {
      deletion = update;
    });
    other.getText("t").delete(0, 2);
    expect(document.receiveFromRelay(fromRelay(deletion))).toEqual({ result: "applied" });
    expect(textOf(document.document)).toBe("c");
  });

  it("SHARED-2: edits while live go up at once, and their write is relayed when acknowledged", async () => {
    const { document, link } = await open();
    document.joined("epoch");
    document.document.getText("t").insert(0, "mine");
    const write = document.write();
    let relayed = false;
    void write.settled("relayed").then(() => {
      relayed = true;
    });
    await write.settled("local");
    await settle();
    expect([link.uploads.length, document.pending, relayed]).toEqual([1, 1, false]);
    await link.uploads[0]?.answer(acknowledged);
    expect([document.pending, relayed]).toEqual([0, true]);
  });

  it("SHARED-3: edits made offline are exchanged at the join: step 1, and the relay's step 1 brings the rest up", async () => {
    const { document, link } = await open();
    document.document.getText("t").insert(0, "offline");
    const write = document.write();
    expect([link.uploads, document.pending]).toEqual([[], 1]);
    document.joined("epoch");
    expect(link.sent).toEqual([
      { name: "shared", message: { type: "step1", stateVector: emptyStateVector } },
    ]);
    document.document.getText("t").insert(7, "!");
    expect(link.uploads).toEqual([]);
    document.receiveFromRelay(say({ type: "step1", stateVector: emptyStateVector }));
    expect(link.uploads).toHaveLength(1);
    expect(relayText(link.uploads)).toBe("offline!");
    document.document.getText("t").insert(8, "?");
    expect(relayText(link.uploads)).toBe("offline!?");
    await link.uploads[0]?.answer(acknowledged);
    await write.settled("relayed");
    await link.uploads[1]?.answer(acknowledged);
    expect(document.pending).toBe(0);
  });

  it("SHARED-3: a relay that lost its rows is offered everything again", async () => {
    const { document, link } = await open();
    document.receiveFromRelay(fromRelay(someoneWrites("theirs")));
    document.joined("epoch");
    document.dropped();
    document.joined("another epoch");
    expect(document.pending).toBe(1);
    document.receiveFromRelay(say({ type: "step1", stateVector: emptyStateVector }));
    await settle();
    expect(relayText(link.uploads)).toBe("theirs");
    await link.uploads[0]?.answer(acknowledged);
    expect(document.pending).toBe(0);
  });

  it("SHARED-4: after a gap the relay's clocks bring up all that it lacks; until that is in, nothing counts as relayed", async () => {
    const { document, link } = await open();
    document.joined("epoch");
    const text = document.document.getText("t");
    text.insert(0, "a");
    text.insert(1, "b");
    const write = document.write();
    await link.uploads[0]?.answer(refused("gate/gap"));
    await link.uploads[1]?.answer(acknowledged);
    expect(document.pending).toBe(2);
    document.receiveFromRelay(say({ type: "step1", stateVector: emptyStateVector }));
    expect(relayText(link.uploads.slice(2))).toBe("ab");
    await link.uploads[2]?.answer(acknowledged);
    await write.settled("relayed");
    expect(document.pending).toBe(0);
  });

  it("SHARED-4: the relay tells its clocks in the same frame as the gap, before the refusal is heard", async () => {
    const { document, link } = await open();
    document.joined("epoch");
    document.document.getText("t").insert(0, "a");
    const write = document.write();
    const heard = link.uploads[0]?.answer(refused("gate/gap"));
    document.receiveFromRelay(say({ type: "step1", stateVector: emptyStateVector }));
    await heard;
    await link.uploads[1]?.answer(acknowledged);
    await write.settled("relayed");
    document.document.getText("t").insert(1, "b");
    await link.uploads[2]?.answer(acknowledged);
    expect(document.pending).toBe(0);
  });

  it("SHARED-5: an edit that is refused for good stays here, is reported, and nothing more is uploaded", async () => {
    const { document, link, problems } = await open();
    document.joined("epoch");
    document.document.getText("t").insert(0, "too deep");
    const write = document.write();
    const relayed = write.settled("relayed");
    const failed = expect(relayed).rejects.toMatchObject({
      code: "crdt/refused",
      details: { code: "gate/depth" },
    });
    await link.uploads[0]?.answer(refused("gate/depth"));
    await failed;
    document.document.getText("t").insert(0, "after: ");
    document.dropped();
    document.joined("epoch");
    document.receiveFromRelay(say({ type: "step1", stateVector: emptyStateVector }));
    expect([link.uploads.length, problems.map(({ code }) => code)]).toEqual([1, ["crdt/refused"]]);
    expect(textOf(document.document)).toBe("after: too deep");
    await document.write().settled("local");
    document.receiveFromRelay(fromRelay(someoneWrites("theirs")));
    expect(textOf(document.document)).toContain("theirs");
  });

  it("SHARED-6: what the gate refuses or cannot place is not applied", async () => {
    const { document } = await open();
    const whole = someoneWrites("base");
    const next = Y.diffUpdate(someoneWrites(" more", whole), Y.encodeStateVectorFromUpdate(whole));
    expect(document.receiveFromRelay(fromRelay(next))).toMatchObject({ result: "gap" });
    expect(document.receiveFromRelay(fromRelay(new Uint8Array([9, 9, 9])))).toMatchObject({
      result: "refused",
    });
    expect(textOf(document.document)).toBe("");
    expect(document.receiveFromRelay(fromRelay(whole))).toEqual({ result: "applied" });
    expect(document.receiveFromRelay(fromRelay(whole))).toEqual({ result: "known" });
    expect(document.receiveFromRelay(clocksOf(whole))).toEqual({ result: "known" });
    expect(() => document.receiveFromRelay(new Uint8Array([77]))).toThrow(
      expect.objectContaining({ code: "protocol/malformed-frame" }),
    );
  });
});

/** The Yjs clients of which an update has structs. */
const clientsOf = (update: Uint8Array | undefined) => [
  ...Y.parseUpdateMeta(update ?? Uint8Array.of(0, 0)).to.keys(),
];
const emptyClocks = say({ type: "step1", stateVector: emptyStateVector });
const plain = tokenScopes.filter((scope) => scope !== "admin");

describe("whose structs go to the relay", () => {
  it("SHARED-11: an exchange holds this principal's own structs alone, of earlier sessions and other tabs too", async () => {
    const persistence = createInMemoryPersistence();
    const first = await open({ persistence, scopes: plain });
    const text = first.document.document.getText("t");
    text.insert(0, "first ");
    const mine = [first.document.document.clientID];
    first.document.receiveFromRelay(fromRelay(someoneWrites("theirs")));
    await first.document.close();
    const tab = await open({ persistence, scopes: plain });
    const second = await open({ persistence, scopes: plain });
    tab.document.document.getMap("m").set("tab", true);
    second.document.receiveFromTab(Y.encodeStateAsUpdate(tab.document.document));
    mine.push(tab.document.document.clientID);
    second.document.joined("epoch");
    second.document.receiveFromRelay(emptyClocks);
    await settle();
    expect(second.link.uploads.map(({ message }) => message.type)).toEqual(["update"]);
    expect(clientsOf(second.link.uploads[0]?.update).sort()).toEqual(mine.sort());
    expect(relayText(second.link.uploads)).toContain("first");
  });

  it("SHARED-11: with the scope admin everything goes, as a step 2, so that nobody is taken for its author", async () => {
    const { document, link } = await open();
    const theirs = someoneWrites("theirs");
    document.receiveFromRelay(fromRelay(theirs));
    document.joined("epoch");
    document.dropped();
    document.joined("another epoch");
    document.receiveFromRelay(emptyClocks);
    await settle();
    expect(link.uploads.map(({ message }) => message.type)).toEqual(["step2"]);
    expect(clientsOf(link.uploads[0]?.update)).toEqual(clientsOf(theirs));
    await link.uploads[0]?.answer(acknowledged);
    document.document.getText("t").insert(0, "mine");
    expect(link.uploads.at(-1)?.message.type).toBe("update");
  });

  it("SHARED-11: an administrator's own edits never go as a step 2, which would leave their Yjs client to anybody", async () => {
    const { document, link } = await open();
    document.document.getText("t").insert(0, "offline");
    document.joined("epoch");
    document.receiveFromRelay(emptyClocks);
    await settle();
    expect(link.uploads.map(({ message }) => message.type)).toEqual(["update"]);
    expect(clientsOf(link.uploads[0]?.update)).toEqual([document.document.clientID]);
  });

  it("SHARED-11: with the scope admin what another tab passes on from others is a step 2 as well", async () => {
    const { document, link } = await open();
    document.joined("epoch");
    document.receiveFromTab(someoneWrites("theirs"));
    await settle();
    expect(link.uploads.map(({ message }) => message.type)).toEqual(["step2"]);
  });

  it("SHARED-11: what another tab passes on from others is not sent as one's own, what that tab wrote is", async () => {
    const persistence = createInMemoryPersistence();
    const [tab, here] = [
      await open({ persistence, scopes: plain }),
      await open({ persistence, scopes: plain }),
    ];
    const theirs = someoneWrites("theirs");
    tab.document.receiveFromRelay(fromRelay(theirs));
    tab.document.document.getText("t").insert(0, "tab");
    here.document.joined("epoch");
    here.document.receiveFromTab(Y.encodeStateAsUpdate(tab.document.document));
    await settle();
    expect(here.link.uploads.map(({ update }) => clientsOf(update))).toEqual([
      [tab.document.document.clientID],
    ]);
  });

  it("SHARED-11: what the application merges from elsewhere counts as written here, before tabs or relay are told", async () => {
    const persistence = createInMemoryPersistence();
    const { document, link, records } = await open({ persistence, scopes: plain });
    const told: Uint8Array[] = [];
    document.changed.on((update) => told.push(update));
    document.joined("epoch");
    const merged = someoneWrites("merged");
    Y.applyUpdate(document.document, merged);
    expect([told, link.uploads]).toEqual([[], []]);
    await settle();
    expect([told.length, clientsOf(link.uploads[0]?.update)]).toEqual([1, clientsOf(merged)]);
    const noted = (await records.entries("client/shared:")).map(([key]) => Number(key.split(":")[1]));
    expect(noted).toEqual(expect.arrayContaining(clientsOf(merged)));
  });

  it("SHARED-11: a session that wrote nothing leaves no client behind", async () => {
    const { document, records, persistence } = await open();
    expect(await records.entries("client/")).toHaveLength(1);
    await document.close();
    expect(await (await persistence.open("records")).entries("client/")).toEqual([]);
  });

  it("SHARED-12: what rests on structs that the relay has lost waits, without going round, until rows have come", async () => {
    const { document, link, clock } = await open({ scopes: plain });
    const theirs = someoneWrites("theirs");
    document.receiveFromRelay(fromRelay(theirs));
    document.document.getText("t").insert(6, " and mine");
    document.document.getMap("m").set("alone", true);
    document.joined("epoch");
    const asked = () => link.sent.length;
    document.receiveFromRelay(emptyClocks);
    await settle();
    // The text rests on theirs; what follows it of this client rests on the text.
    expect([asked(), link.uploads.map(({ update }) => clientsOf(update))]).toEqual([1, [[]]]);
    await link.uploads[0]?.answer(acknowledged);
    clock.advance(60_000);
    expect([document.pending > 0, asked()]).toEqual([true, 1]);
    // Rows that bring them: one question for a burst, answered with the rest.
    document.receiveFromRelay(fromRelay(theirs));
    document.receiveFromRelay(fromRelay(someoneWrites("another row", theirs)));
    clock.advance(1_000);
    expect(asked()).toBe(2);
    document.receiveFromRelay(clocksOf(theirs));
    await settle();
    expect(clientsOf(link.uploads[1]?.update)).toEqual([document.document.clientID]);
    await link.uploads[1]?.answer(acknowledged);
    expect(document.pending).toBe(0);
  });

  it("SHARED-12: an exchange that meets a gap all the same is not begun again by the clocks that come with it", async () => {
    const { document, link, clock } = await open();
    document.document.getText("t").insert(0, "mine");
    document.joined("epoch");
    document.receiveFromRelay(emptyClocks);
    // As the relay sends it: its clocks, then the refusal takes effect.
    const refusal = link.uploads[0]?.answer(refused("gate/gap"));
    document.receiveFromRelay(emptyClocks);
    await refusal;
    clock.advance(60_000);
    await settle();
    expect([link.uploads.length, link.sent.length, document.pending]).toEqual([1, 1, 1]);
    document.dropped();
    document.joined("epoch");
    expect(link.sent).toHaveLength(2);
  });

  it("SHARED-13: without write:shared an edit stays here and is told once; with another grant it goes out", async () => {
    const { document, link, problems } = await open({ scopes: ["read"] });
    const theirs = someoneWrites("theirs");
    document.receiveFromRelay(fromRelay(theirs));
    document.joined("epoch");
    const text = document.document.getText("t");
    text.insert(0, "mine ");
    const failed = expect(document.write().settled("relayed")).rejects.toMatchObject({
      details: { code: "edge/forbidden" },
    });
    await link.uploads[0]?.answer(refused("edge/forbidden"));
    await failed;
    text.insert(0, "still ");
    expect([link.uploads.length, problems.length, document.pending]).toEqual([1, 1, 2]);
    link.scopes = plain;
    document.joined("epoch");
    document.receiveFromRelay(clocksOf(theirs));
    await settle();
    expect(clientsOf(link.uploads[1]?.update)).toEqual([document.document.clientID]);
    await link.uploads[1]?.answer(acknowledged);
    expect(document.pending).toBe(0);
  });

  it("SHARED-13: a reader that has written nothing offers nothing, and nothing is pending, in a new epoch too", async () => {
    const persistence = createInMemoryPersistence();
    const first = await open({ persistence, scopes: ["read"] });
    first.document.receiveFromRelay(fromRelay(someoneWrites("theirs")));
    const second = await open({ persistence, scopes: ["read"] });
    for (const epoch of ["epoch", "another epoch"]) {
      second.document.receiveFromRelay(fromRelay(someoneWrites("more")));
      second.document.joined(epoch);
      second.document.receiveFromRelay(emptyClocks);
      await settle();
    }
    expect([second.link.uploads, second.document.pending, second.problems]).toEqual([[], 0, []]);
  });
});

describe("a client that refuses what the relay accepted", () => {
  it("DOCS-7: the refusal is told once; its author is ignored from there, with what rests on it, and others are not", async () => {
    const { document } = await open();
    const results = (...updates: Uint8Array[]) =>
      updates.map((update) => {
        const received = document.receiveFromRelay(fromRelay(update));
        return "code" in received ? received.code : received.result;
      });
    const mallory = new Y.Doc();
    mallory.clientID = 66;
    const steps: Uint8Array[] = [];
    mallory.on("update", (update: Uint8Array) => steps.push(update));
    let map = mallory.getMap("m");
    for (let depth = 0; depth < 6; depth++) map = map.set("deeper", new Y.Map<unknown>()) as typeof map;
    mallory.getText("t").insert(0, "on top");
    const [deep, later] = [steps[4] as Uint8Array, steps.slice(5)];
    const onMallory = someoneWrites("rests on it", Y.encodeStateAsUpdate(mallory));
    const diff = Y.diffUpdate(onMallory, Y.encodeStateVector(mallory));
    expect(results(...steps.slice(0, 4))).toEqual(["applied", "applied", "applied", "applied"]);
    expect(results(deep, ...later, deep, diff)).toEqual(["gate/depth", "known", "known", "known", "known"]);
    const honest = someoneWrites("honest");
    const next = Y.diffUpdate(someoneWrites("next", honest), Y.encodeStateVectorFromUpdate(honest));
    expect(results(next, honest, next)).toEqual(["gap", "applied", "applied"]);
    expect(textOf(document.document)).toBe("honestnext");
  });
});

describe("shared documents on this device", () => {
  it("SHARED-7: a reload knows that the relay has everything, and uploads nothing", async () => {
    const persistence = createInMemoryPersistence();
    const first = await open({ persistence });
    first.document.joined("epoch");
    first.document.document.getText("t").insert(0, "abc");
    first.document.document.getText("t").delete(0, 1);
    for (const { answer } of first.link.uploads) await answer(acknowledged);
    await first.document.close();
    const second = await open({ persistence });
    second.document.joined("epoch");
    await settle();
    expect([textOf(second.document.document), second.link.sent, second.document.pending]).toEqual([
      "bc",
      [],
      0,
    ]);
  });

  it.each<[string, (text: Y.Text) => void]>([
    ["an insertion", (text) => text.insert(0, "x")],
    ["a deletion, which no state vector shows", (text) => text.delete(0, 1)],
  ])("SHARED-7: after a reload with %s unsent, it is exchanged", async (_, change) => {
    const persistence = createInMemoryPersistence();
    const first = await open({ persistence });
    first.document.joined("epoch");
    first.document.document.getText("t").insert(0, "abc");
    await first.link.uploads[0]?.answer(acknowledged);
    await first.clock.advance(5_000);
    await settle();
    first.document.dropped();
    change(first.document.document.getText("t"));
    await first.document.close();
    const second = await open({ persistence });
    expect(second.document.pending).toBe(1);
    second.document.joined("epoch");
    expect(second.link.sent).toHaveLength(1);
  });

  it("SHARED-8: another tab's edit is applied and goes up, but is not told to tabs again", async () => {
    const { document, link } = await open();
    const told: Uint8Array[] = [];
    document.changed.on((update) => told.push(update));
    document.joined("epoch");
    expect(document.receiveFromTab(someoneWrites("tab"))).toEqual({ result: "applied" });
    document.receiveFromRelay(fromRelay(someoneWrites("relay")));
    await settle();
    expect([told.length, link.uploads.length, document.pending]).toEqual([0, 1, 1]);
    document.document.getText("t").insert(0, "mine");
    expect(told).toHaveLength(1);
  });

  it("SHARED-9: without a relay the relayed stage stays pending, and closing ends the wait with a code", async () => {
    const { document } = await open({ withLink: false });
    document.document.getText("t").insert(0, "x");
    const write = document.write();
    await write.settled("local");
    const waiting = expect(write.settled("relayed")).rejects.toMatchObject({ code: "crdt/closed" });
    await document.close();
    await waiting;
  });

  it("SHARED-9: closing leaves no timer", async () => {
    const { document, clock, link } = await open();
    document.joined("epoch");
    document.document.getText("t").insert(0, "x");
    await link.uploads[0]?.answer(acknowledged);
    expect(clock.delays()).toHaveLength(1);
    await document.close();
    expect(clock.delays()).toEqual([]);
  });
});
