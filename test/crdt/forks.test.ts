import { describe, expect, it, onTestFinished } from "vitest";
import * as Y from "yjs";
import { createHybridClock, createStore, type FlockError } from "../../src/base/index.ts";
import { defaultRetention } from "../../src/crdt/index.ts";
import { createEntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import type { Persistence } from "../../src/crdt/persistence/port.ts";
import { createWriterPool, listWriters, type OwnedName } from "../../src/crdt/writers/writer-pool.ts";
import { laneName, readDocumentName, registerName } from "../../src/protocol/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { writePage } from "./lanes.ts";
import { createLocalPages } from "./pages.ts";
import { acknowledged, createScriptedLink } from "./scripted-link.ts";
import { random, register } from "./writer-harness.ts";

/** A tab's pool over a device's persistence, and what it received from elsewhere before. */
async function openTab(persistence: Persistence, received: [name: string, document: Y.Doc][] = []) {
  const clock = createManualClock(5_000);
  const problems: FlockError[] = [];
  const present = createStore<readonly string[]>([]);
  const link = createScriptedLink({ answer: acknowledged });
  const log = createEntryLog();
  const pool = createWriterPool({
    principal: "anon",
    prefix: "room/",
    persistence,
    records: await persistence.open("room/records"),
    log,
    hybrid: createHybridClock(clock),
    clock,
    random,
    link,
    received: (writer) => received.filter(([name]) => name.split("/")[1] === writer),
    onStored: () => undefined,
    onFrozen: () => undefined,
    onRegisterChanged: () => undefined,
    onAdopted: () => undefined,
    onWriters: (writers) => present.set(writers),
    pages: createLocalPages(),
    retention: defaultRetention,
    onPending: () => undefined,
    onProblem: (error) => problems.push(error),
  });
  onTestFinished(() => pool.close());
  const join = () => {
    link.online(true);
    pool.joined("epoch");
  };
  return { pool, link, clock, log, problems, present, join };
}

type Tab = Awaited<ReturnType<typeof openTab>>;

const nameOf = (name: string) => readDocumentName(name) as OwnedName;
const note = (body: string) => ({ kind: "note", parents: [], body });
/** What a stranger writes as the next page of a writer's lane. */
const strangePage = (writer: string, number = 0) => {
  const page = writePage(number, 999);
  return { name: laneName(writer, page.name), update: page.append({ bodies: ["strange"] }) };
};

/** The device's own documents of a writer, as they are stored. */
function ownOf({ pool }: Tab, writer: string): [string, Y.Doc][] {
  return [...pool.documents()].filter(([name]) => name.split("/")[1] === writer);
}

async function openWritten(tab: Tab) {
  const { writer } = await tab.pool.open("planner");
  const { id } = writer;
  const appended = writer.append(note("mine"));
  writer.setRegister({ ...register(["plan"]), consumers: { mail: { filter: {}, lanes: {} } } });
  await writer.flush();
  return { writer, id, appended };
}

describe("a writer whose database was lost", () => {
  it("WRITER-1: leaves the list, and its agent gets a new one that uses none of its page numbers", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { id } = await openWritten(first);
    await first.pool.close();
    await persistence.forget(`room/writer/${id}`);
    const second = await openTab(persistence);
    const again = await second.pool.open("planner");
    expect([again.writer.id === id, again.resumed]).toEqual([false, false]);
    expect(await listWriters(await persistence.open("room/records"))).toEqual([again.writer.id]);
    expect([...second.pool.documents()].some(([name]) => name.includes(id))).toBe(false);
  });

  it("WRITER-1: is not sent either, and a tab that finds it so gives its lock back", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { id } = await openWritten(first);
    await first.pool.close();
    await persistence.forget(`room/writer/${id}`);
    const second = await openTab(persistence);
    second.join();
    await second.pool.open("critic");
    expect((await listWriters(await persistence.open("room/records"))).includes(id)).toBe(false);
    expect(await persistence.tryLock(`room/writer/${id}`)).toBeTypeOf("function");
  });

  it("WRITER-2: one made before databases named their writer is kept, if there is anything of it", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { id } = await openWritten(first);
    await first.pool.close();
    const store = await persistence.open(`room/writer/${id}`);
    await store.write({ remove: ["identity"] });
    await store.close();
    const second = await openTab(persistence);
    expect((await second.pool.open("planner")).writer.id).toBe(id);
  });
});

describe("a writer that was written elsewhere too", () => {
  const strangers: Record<string, (tab: Tab, writer: string) => { name: string; update: Uint8Array }> = {
    "a page that its database lacks": (_, writer) => strangePage(writer, 1),
    "a page of the number that it writes": (_, writer) => strangePage(writer, 0),
    "more of a page than its database has"(tab, writer) {
      const [name, own] = ownOf(tab, writer).find(([each]) => each.startsWith("lane/")) as [string, Y.Doc];
      const copy = new Y.Doc();
      Y.applyUpdate(copy, Y.encodeStateAsUpdate(own));
      copy.clientID = Number(name.split("-").at(-1));
      copy.getArray("b").push([[new Uint8Array([1])]]);
      return { name, update: Y.encodeStateAsUpdate(copy, Y.encodeStateVector(own)) };
    },
    "a register by a Yjs client that it does not know"(tab, writer) {
      const [name, own] = ownOf(tab, writer).find(([each]) => each.startsWith("register/")) as [
        string,
        Y.Doc,
      ];
      const copy = new Y.Doc();
      Y.applyUpdate(copy, Y.encodeStateAsUpdate(own));
      copy.getMap("r").set("v", register(["other"]));
      return { name, update: Y.encodeStateAsUpdate(copy, Y.encodeStateVector(own)) };
    },
  };

  for (const [what, strange] of Object.entries(strangers)) {
    it(`WRITER-3: is known by ${what}, and its agent goes on as a new one at once`, async () => {
      const tab = await openTab(createInMemoryPersistence());
      tab.join();
      const { writer, id } = await openWritten(tab);
      const { name, update } = strange(tab, id);
      const taken = tab.pool.foreign(nameOf(name), update);
      // What is new rests on what is here, and whoever received it has nothing else.
      const copy = new Y.Doc();
      Y.applyUpdate(copy, taken as Uint8Array);
      expect(copy.store.pendingStructs).toBeNull();
      await until(() => writer.id !== id);
      expect(tab.present.get()).toEqual([writer.id]);
      expect([tab.pool.isOpen(id), tab.pool.isOpen(writer.id)]).toEqual([false, true]);
      expect(writer.register()).toMatchObject({
        capabilities: ["plan"],
        consumers: { mail: {} },
        since: 5_000,
      });
      expect(writer.append(note("after")).id.split("/")[0]).toBe(writer.id);
      expect(tab.problems).toEqual([]);
    });
  }

  it("WRITER-3: is known by the relay's clocks, where they are past its own", async () => {
    const tab = await openTab(createInMemoryPersistence());
    tab.join();
    const { writer, id } = await openWritten(tab);
    const [name = "", own = new Y.Doc()] = ownOf(tab, id).find(([each]) => each.startsWith("lane/")) ?? [];
    const [client = 0] = Y.decodeStateVector(Y.encodeStateVector(own)).keys();
    tab.pool.resync(id, name, Y.encodeStateVector(new Map([[client, 1]])));
    await settle();
    expect(writer.id).toBe(id);
    tab.pool.resync(id, name, Y.encodeStateVector(new Map([[client, 9]])));
    await until(() => writer.id !== id);
  });

  it("WRITER-3: is known by what came before it was opened", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { id } = await openWritten(first);
    await first.pool.close();
    const { name, update } = strangePage(id, 3);
    const document = new Y.Doc();
    Y.applyUpdate(document, update);
    const second = await openTab(persistence, [[name, document]]);
    const again = await second.pool.open("planner");
    expect([again.writer.id === id, again.resumed]).toEqual([false, false]);
  });

  it("WRITER-4: its own documents, come back in pieces or as a whole, are no stranger's", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { id } = await openWritten(first);
    const before = ownOf(first, id).map(([name, own]) => [name, Y.encodeStateAsUpdate(own)] as const);
    await first.pool.close();
    const second = await openTab(persistence);
    const { writer } = await second.pool.open("planner");
    writer.append(note("more"));
    writer.setRegister(register(["other"]));
    await writer.flush();
    const now = ownOf(second, id).map(([name, own]) => [name, Y.encodeStateAsUpdate(own)] as const);
    for (const [name, update] of [...before, ...now]) {
      expect(second.pool.foreign(nameOf(name), update)).toBeUndefined();
    }
    await second.pool.flush();
    await settle();
    expect([writer.id, (await second.pool.open("planner")).writer.id !== id]).toEqual([id, true]);
  });

  it("WRITER-4: nor is what another tab had stored before it was gone, and this one has not read", async () => {
    const persistence = createInMemoryPersistence();
    const tab = await openTab(persistence);
    const { writer, id } = await openWritten(tab);
    const { name, update } = strangePage(id, 7);
    const store = await persistence.open(`room/writer/${id}`);
    await store.write({ put: [["page/7-999/000000", update]] });
    expect(tab.pool.foreign(nameOf(name), update)).toEqual(update);
    await tab.pool.open("critic");
    await settle();
    expect(writer.id).toBe(id);
  });

  it("WRITER-4: what can't be read, and what is of a writer that is not here, is left to whoever receives it", async () => {
    const tab = await openTab(createInMemoryPersistence());
    const { writer, id } = await openWritten(tab);
    const garbage = new Uint8Array([255, 1, 2]);
    expect(tab.pool.foreign(nameOf(laneName(id, { number: 0, client: 1 })), garbage)).toBe(garbage);
    const { name, update } = strangePage("anon.planner.BBBBBBBBBBB");
    expect(tab.pool.foreign(nameOf(name), update)).toBe(update);
    await settle();
    expect(writer.id).toBe(id);
  });

  it("WRITER-5: is never opened again, in this session or a later one, and what it left unsent is sent", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    const { writer, id } = await openWritten(first);
    const { name, update } = strangePage(id, 1);
    first.pool.foreign(nameOf(name), update);
    await until(() => writer.id !== id);
    const successor = writer.id;
    first.pool.release(successor);
    expect((await first.pool.open("planner")).writer.id).toBe(successor);
    await first.pool.close();
    const second = await openTab(persistence);
    expect((await second.pool.open("planner")).writer.id).toBe(successor);
    second.join();
    await until(() => second.link.uploads.some(({ name: sent }) => sent.startsWith(`lane/${id}/`)));
    await until(() => second.pool.pending === 0);
    expect(second.pool.isOpen(id)).toBe(false);
  });

  it("WRITER-5: handles of what it wrote settle as they would have", async () => {
    const tab = await openTab(createInMemoryPersistence());
    const { writer, id, appended } = await openWritten(tab);
    const { name, update } = strangePage(id, 1);
    tab.pool.foreign(nameOf(name), update);
    await until(() => writer.id !== id);
    await appended.settled("local");
    tab.join();
    await appended.settled("relayed");
    expect(tab.pool.stageOf({ writer: id, page: { number: 1, client: 999 }, index: 0 })).toBeUndefined();
  });

  it("WRITER-5: where the device refuses the new writer, it is asked again, and the agent goes on meanwhile", async () => {
    const persistence = createInMemoryPersistence();
    let isFull = false;
    const tab = await openTab({
      ...persistence,
      async open(name) {
        const store = await persistence.open(name);
        const write: typeof store.write = (change) =>
          isFull ? Promise.reject(new Error("disk full")) : store.write(change);
        return { ...store, write };
      },
    });
    const { writer, id } = await openWritten(tab);
    isFull = true;
    const { name, update } = strangePage(id);
    tab.pool.foreign(nameOf(name), update);
    await until(() => tab.problems.length > 0);
    expect([writer.id, tab.pool.isFrozen(id)]).toEqual([id, false]);
    isFull = false;
    await until(() => {
      tab.clock.advance(1_000);
      return writer.id !== id;
    });
    expect([tab.pool.isFrozen(id), writer.register()?.capabilities]).toEqual([true, ["plan"]]);
  });

  it("WRITER-5: an agent that closes meanwhile leaves nobody open", async () => {
    const tab = await openTab(createInMemoryPersistence());
    const { id } = await openWritten(tab);
    const { name, update } = strangePage(id, 1);
    tab.pool.foreign(nameOf(name), update);
    tab.pool.release(id);
    await tab.pool.open("critic");
    expect(tab.present.get().map((writer) => writer.split(".")[1])).toEqual(["critic"]);
  });
});

describe("without locks", () => {
  function withoutLocks(persistence: Persistence): Persistence {
    return { ...persistence, locks: false, tryLock: async () => undefined };
  }

  it("WRITER-6: what earlier openings left unsent is sent by the next, and counted as sent", async () => {
    const persistence = withoutLocks(createInMemoryPersistence());
    const first = await openTab(persistence);
    const { id } = await openWritten(first);
    await first.pool.close();
    const second = await openTab(persistence);
    const { writer } = await second.pool.open("planner");
    expect(writer.id).not.toBe(id);
    second.join();
    const sent = () => second.link.uploads.map(({ name }) => name);
    await until(
      () => sent().includes(registerName(id)) && sent().some((name) => name.startsWith(`lane/${id}`)),
    );
    await until(() => second.pool.pending === 0);
    await second.pool.close();
    const third = await openTab(persistence);
    third.join();
    await third.pool.open("critic");
    expect(third.link.uploads.filter(({ name }) => name.includes(id))).toEqual([]);
  });

  it("WRITER-6: a writer that another tab has open may be sent, and nothing of it is written or told here", async () => {
    const persistence = withoutLocks(createInMemoryPersistence());
    const first = await openTab(persistence);
    const { writer, id } = await openWritten(first);
    const store = await persistence.open(`room/writer/${id}`);
    const stored = async () =>
      (await store.entries("")).filter(([key]) => key !== "acknowledged").map(([key]) => key);
    const before = await stored();
    const second = await openTab(persistence);
    second.join();
    await until(() => second.link.uploads.some(({ name }) => name.startsWith(`lane/${id}/`)));
    expect([[...second.pool.documents()], second.pool.register(id), [...second.pool.registers()]]).toEqual([
      [],
      undefined,
      [],
    ]);
    writer.append(note("more"));
    await writer.flush();
    const [[name = "", own = new Y.Doc()] = []] = ownOf(first, id).slice(1);
    const update = Y.encodeStateAsUpdate(own);
    expect(second.pool.foreign(nameOf(name), update)).toBe(update);
    await second.pool.close();
    expect(writer.id).toBe(id);
    expect((await stored()).filter((key) => !key.startsWith("page/"))).toEqual(
      before.filter((key) => !key.startsWith("page/")),
    );
  });

  it("WRITER-6: an agent that closes in order says that its writer will not come back", async () => {
    const tab = await openTab(withoutLocks(createInMemoryPersistence()));
    const { writer, id } = await openWritten(tab);
    tab.pool.release(id);
    expect(tab.pool.register(id)?.left).toBe(true);
    const again = await tab.pool.open("planner");
    expect([again.writer.id === id, writer.id, tab.pool.register(id)?.left]).toEqual([false, id, true]);
  });
});

describe("what the relay has", () => {
  it("WRITER-7: is remembered of the register as of pages: a return sends neither again", async () => {
    const persistence = createInMemoryPersistence();
    const first = await openTab(persistence);
    first.join();
    await openWritten(first);
    await until(() => first.pool.pending === 0);
    await first.pool.close();
    const second = await openTab(persistence);
    second.join();
    await second.pool.open("critic");
    expect(second.link.uploads).toEqual([]);
  });
});
