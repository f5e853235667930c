import { describe, expect, it, onTestFinished } from "vitest";
import * as Y from "yjs";
import type { FlockError } from "../../src/base/index.ts";
import { openDocuments } from "../../src/crdt/documents.ts";
import { defaultRetention } from "../../src/crdt/index.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { Persistence } from "../../src/crdt/persistence/port.ts";
import { cursorKey } from "../../src/crdt/saver.ts";
import type { ControlMessage, DocumentMessage, RegisterRecord } from "../../src/protocol/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { createFakeRelay, settle } from "./fake-relay.ts";
import { writePage } from "./lanes.ts";
import { createLocalPages } from "./pages.ts";
import { random, register } from "./writer-harness.ts";

const other = "ann.planner.AAAAAAAAAAA";

async function open(persistence: Persistence = createInMemoryPersistence()) {
  const relay = createFakeRelay();
  const clock = createManualClock();
  const problems: FlockError[] = [];
  const documents = await openDocuments({
    room: "team",
    principal: "anon",
    prefix: "room/",
    persistence,
    clock,
    random,
    relay: { url: "ws://relay.example", openSocket: relay.openSocket, tokens: undefined },
    pages: createLocalPages(),
    retention: defaultRetention,
    openTabChannel: undefined,
  });
  onTestFinished(() => documents.close());
  documents.problems.on((problem) => problems.push(problem));
  const bodies = () => documents.log.pages(other).flatMap(({ entries }) => entries.map(({ body }) => body));
  const stored = async (): Promise<unknown> => (await persistence.open("room/records")).get(cursorKey);
  return { documents, relay, clock, problems, bodies, stored, persistence };
}

const update = (bytes: Uint8Array): DocumentMessage => ({ type: "update", update: bytes });
const lane = `lane/${other}/0-7`;
const name = (channel: number, document: string): ControlMessage => ({
  type: "name",
  channel,
  name: document,
});
const joins = (relay: ReturnType<typeof createFakeRelay>) =>
  relay.sockets.flatMap(({ sent }) =>
    sent.flatMap((each) => (each.type === "join" ? [`${each.epoch} ${each.sequence}`] : [])),
  );

/** An update of a register, as its writer would send it. */
function registerUpdate(record: RegisterRecord): Uint8Array {
  const document = new Y.Doc();
  document.getMap("r").set("v", record);
  return Y.encodeStateAsUpdate(document);
}

describe("documents from the relay", () => {
  it("DOCS-1: lanes and registers are taken up, kept, and there again with the cursor after a reload", async () => {
    const persistence = createInMemoryPersistence();
    const first = await open(persistence);
    first.documents.connect();
    first.relay.last.join({ epoch: "e1" });
    const page = writePage();
    first.relay.last.send(
      name(4, lane),
      { channel: 4, message: update(page.append({ bodies: ["a"] })) },
      name(5, `register/${other}`),
      { channel: 5, message: update(registerUpdate(register(["plan"]))) },
      { type: "cursor", sequence: 2 },
    );
    expect([first.bodies(), first.documents.register(other)?.capabilities]).toEqual([["a"], ["plan"]]);
    await first.documents.flush();
    expect(await first.stored()).toEqual({ epoch: "e1", sequence: 2 });
    await first.documents.close();
    const second = await open(persistence);
    expect([second.bodies(), second.documents.register(other)?.capabilities]).toEqual([["a"], ["plan"]]);
    second.documents.connect();
    second.relay.last.open();
    expect(joins(second.relay)).toEqual(["e1 2"]);
  });

  it("DOCS-1: entries written after a reload come after those that were received before it", async () => {
    const persistence = createInMemoryPersistence();
    const first = await open(persistence);
    first.documents.connect();
    first.relay.last.join();
    const ahead = (1_000 + 50_000) * 1_024;
    first.relay.last.send(name(4, lane), {
      channel: 4,
      message: update(writePage().append({ bodies: ["a"], clock: ahead })),
    });
    await first.documents.close();
    const second = await open(persistence);
    const { writer } = await second.documents.openWriter("critic");
    const { id } = writer.append({ kind: "note", parents: [], body: 1 });
    await writer.flush();
    expect(second.documents.log.get(id)?.clock).toBeGreaterThan(ahead);
  });

  it("DOCS-2: a gap is asked for by a whole join, and not a second time while it is unfilled", async () => {
    const { documents, relay, clock, problems, bodies } = await open();
    documents.connect();
    relay.last.join();
    relay.last.send({ type: "cursor", sequence: 40 });
    const page = writePage();
    const [a, b] = [page.append({ bodies: ["a"] }), page.append({ bodies: ["b"] })];
    relay.last.send(name(4, lane), { channel: 4, message: update(b) }, { type: "cursor", sequence: 41 });
    expect([bodies(), documents.online.get()]).toEqual([[], false]);
    clock.advance(1_000);
    relay.last.open();
    expect(joins(relay)).toEqual([" 0", " 0"]);
    relay.last.send(
      { type: "welcome", version: 1, epoch: "epoch", sequence: 41, resumed: false, presence: 1 },
      name(4, lane),
      { channel: 4, message: update(a) },
      { channel: 4, message: update(b) },
      { type: "cursor", sequence: 41 },
      { type: "joined" },
    );
    expect([bodies(), problems]).toEqual([["a", "b"], []]);
  });

  it("DOCS-2: what the relay itself does not have is reported as a gap, and the connection stays", async () => {
    const { documents, relay, clock, problems } = await open();
    documents.connect();
    relay.last.join();
    const page = writePage();
    page.append({ bodies: ["a"] });
    const b = page.append({ bodies: ["b"] });
    const broken = (): void => relay.last.send(name(4, lane), { channel: 4, message: update(b) });
    broken();
    clock.advance(1_000);
    relay.last.open();
    relay.last.send({ type: "welcome", version: 1, epoch: "e", sequence: 1, resumed: false, presence: 1 });
    broken();
    relay.last.send({ type: "joined" });
    broken();
    expect([problems.map(({ code }) => code), documents.online.get(), relay.sockets.length]).toEqual([
      ["gate/gap", "gate/gap"],
      true,
      2,
    ]);
  });

  it("DOCS-3: what the gate refuses is reported and not kept, and the rest goes on", async () => {
    const { documents, relay, problems, bodies, persistence } = await open();
    documents.connect();
    relay.last.join();
    const page = writePage();
    relay.last.send(
      name(4, lane),
      name(5, `lane/${other}/0-9`),
      { channel: 5, message: update(page.append({ bodies: ["not of this page"] })) },
      { channel: 4, message: update(writePage().append({ bodies: ["fine"] })) },
      { type: "cursor", sequence: 2 },
    );
    await documents.flush();
    expect([bodies(), problems.map(({ code }) => code)]).toEqual([["fine"], ["gate/not-owner"]]);
    const records = await persistence.open("room/records");
    expect((await records.entries("update/")).map(([key]) => key.split("/").slice(0, 4).join("/"))).toEqual([
      `update/${lane}`,
    ]);
  });

  it("DOCS-4: a shared document that is not open yet is opened when something of it arrives, and kept", async () => {
    const persistence = createInMemoryPersistence();
    const { documents, relay, stored } = await open(persistence);
    documents.connect();
    relay.last.join({ epoch: "e1" });
    const theirs = new Y.Doc();
    theirs.getText("t").insert(0, "one");
    const first = Y.encodeStateAsUpdate(theirs);
    theirs.getText("t").insert(3, " two");
    const second = Y.encodeStateAsUpdate(theirs, Y.encodeStateVectorFromUpdate(first));
    relay.last.send(
      name(4, "shared/other"),
      { channel: 4, message: update(first) },
      { channel: 4, message: update(second) },
      { type: "cursor", sequence: 2 },
    );
    await documents.flush();
    expect(await stored()).toEqual({ epoch: "e1", sequence: 2 });
    const copy = new Y.Doc();
    const store = persistence.attach("room/document/shared/other", copy);
    expect(copy.getText("t").toString()).toBe("one two");
    await store.close();
  });

  it("DOCS-5: a name that the grammar does not have is reported, and the link connects anew", async () => {
    const { documents, relay, problems } = await open();
    documents.connect();
    relay.last.join();
    relay.last.send(name(4, "stream/a.b.c/1"), { channel: 4, message: update(new Uint8Array([0, 0])) });
    expect([problems.map(({ code }) => code), relay.last.closed]).toEqual([
      ["protocol/unknown-document"],
      true,
    ]);
  });

  it("DOCS-6: what one's own writer wrote is not taken from the relay again", async () => {
    const { documents, relay, problems } = await open();
    documents.connect();
    relay.last.join();
    const { writer } = await documents.openWriter("critic");
    writer.append({ kind: "note", parents: [], body: 1 });
    await writer.flush();
    const uploads = relay.last.sent.flatMap((each) =>
      each.type === "document" && each.name?.startsWith("lane/") ? [each] : [],
    );
    relay.last.send(
      ...uploads.flatMap(({ name: own = "", message }) => [name(4, own), { channel: 4, message }]),
    );
    expect(uploads).toHaveLength(1);
    await settle();
    expect([documents.log.size, problems]).toEqual([1, []]);
  });
});

describe("many registers", () => {
  it("REG-2: a register that is written often takes few rows at its readers", async () => {
    const { documents, relay, persistence } = await open();
    documents.connect();
    relay.last.join();
    relay.last.send(name(5, `register/${other}`));
    const theirs = new Y.Doc();
    theirs.on("update", (bytes: Uint8Array) => relay.last.send({ channel: 5, message: update(bytes) }));
    for (let count = 0; count < 100; count++) {
      theirs.getMap("r").set("v", register([`${count}`]));
      if (count % 7 === 0) await documents.flush();
    }
    relay.last.send({ type: "cursor", sequence: 100 });
    await documents.flush();
    const records = await persistence.open("room/records");
    await until(async () => (await records.entries("update/")).length <= 17);
    await documents.close();
    const again = await open(persistence);
    expect(again.documents.register(other)?.capabilities).toEqual(["99"]);
  });
});
