import { describe, expect, it, onTestFinished } from "vitest";
import * as Y from "yjs";
import type { FlockError } from "../../src/base/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { openSharedDocument } from "../../src/crdt/shared-document.ts";
import { type DocumentMessage, emptyStateVector, encodeDocumentMessage } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { acknowledged, createScriptedLink, refused } from "./scripted-link.ts";

type Persistence = ReturnType<typeof createInMemoryPersistence>;

let nextClient = 1;

async function open({
  persistence = createInMemoryPersistence(),
  withLink = true,
}: {
  persistence?: Persistence;
  withLink?: boolean;
} = {}) {
  const link = createScriptedLink();
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
    expect(document.receiveFromRelay(fromRelay(next))).toEqual({ result: "gap" });
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
