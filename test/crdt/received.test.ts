import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { createEmitter, createHybridClock } from "../../src/base/index.ts";
import { type Chains, createChains } from "../../src/crdt/history/chains.ts";
import { createEntryLog, type EntryLog } from "../../src/crdt/lanes/entry-log.ts";
import { loadReceived, type ReceivedDocuments } from "../../src/crdt/lanes/received.ts";
import { createReleases, type Releases } from "../../src/crdt/lanes/releases.ts";
import { createInMemoryPersistence } from "../../src/crdt/persistence/in-memory.ts";
import { comparePages, type LaneMarks, laneName, parseDocumentName } from "../../src/protocol/index.ts";
import { createManualClock, until } from "../refstore/manual-clock.ts";
import { settle } from "./fake-relay.ts";
import { createScriptedPages, writeLane } from "./history-lane.ts";
import { writePage } from "./lanes.ts";
import { random } from "./writer-harness.ts";

const writer = "ann.planner.AAAAAAAAAAA";

/** What others wrote and what lets go of it, without the rest of a room; a test can break a part. */
async function setUp({
  isOwn = false,
  breakLog = (log) => log,
  breakChains = (chains) => chains,
}: {
  isOwn?: boolean;
  breakLog?: (log: EntryLog) => EntryLog;
  breakChains?: (chains: Chains, received: ReceivedDocuments) => Chains;
} = {}) {
  const pages = createScriptedPages();
  const lane = await writeLane({ writer, pages, count: 16, batches: [1] });
  const clock = createManualClock();
  const log = createEntryLog();
  const records = await createInMemoryPersistence().open("records");
  const state: { marks: LaneMarks | undefined; releases?: Releases } = { marks: undefined };
  const received = await loadReceived(records, {
    log,
    hybrid: createHybridClock(clock),
    random,
    standingOf: (...page) => state.releases?.standingOf(...page) ?? "live",
  });
  const registerChanged = createEmitter<string>();
  const releases = createReleases({
    log: breakLog(log),
    clock,
    chains: breakChains(createChains(log, pages), received),
    received,
    registerChanged,
    writers: [],
    marksOf: () => state.marks,
    isOwn: () => isOwn,
    onReleased: () => undefined,
  });
  state.releases = releases;
  onTestFinished(() => releases.close());
  return {
    pages,
    lane,
    clock,
    log,
    received,
    receive(number: number, client: number, update: Uint8Array) {
      const name = parseDocumentName(laneName(writer, { number, client }));
      const { result } = received.receive(name, update);
      if (result === "applied") releases.arrived(writer, { number, client });
      return result;
    },
    raise(low: number) {
      state.marks = lane.marks(low);
      registerChanged.emit(writer);
    },
    live: () => log.pages(writer).map(({ name: { number, client } }) => `${number}-${client}`),
  };
}

/** The body, and only entry, of a clone's page. */
const cloneUpdate = (number: number): Uint8Array =>
  writePage(number, 7).append({ bodies: [`clone ${number}`] });

describe("pages that were received", () => {
  it("LANE-38: a page that is let go of leaves nothing in memory", async () => {
    const { received, lane, receive, raise, clock } = await setUp();
    for (const { name, update } of lane.written) receive(name.number, name.client, update);
    const documents = [...received.documents(writer)].map(([, document]) => document);
    clock.advance(10_000);
    raise(15);
    await until(() => received.pages(writer).length === 1);
    expect(documents.map(({ isDestroyed }) => isDestroyed)).toEqual([...Array(15).fill(true), false]);
    expect([...received.documents(writer)]).toHaveLength(1);
    expect(received.stateVectors().map(([name]) => name)).toEqual([lane.page(15).document]);
  });

  it("LANE-38: an own writer's page is its sealer's to let go of; a copy that was received goes with it", async () => {
    const { received, lane, log, receive, raise, clock, live } = await setUp({ isOwn: true });
    for (const { name, update } of lane.written.slice(0, 3)) receive(name.number, name.client, update);
    clock.advance(10_000);
    raise(15);
    await settle();
    expect(live()).toEqual(["0-100", "1-101", "2-102"]);
    log.release(writer, lane.page(1).name);
    expect(received.pages(writer).map(({ number }) => number)).toEqual([0, 2]);
    expect(receive(5, 7, cloneUpdate(5))).toBe("applied");
    await until(() => live().length === 3);
    expect(live()).toEqual(["0-100", "2-102", "5-7"]);
  });
});

type Event =
  | { type: "page" | "clone"; number: number }
  | { type: "raise"; low: number }
  | { type: "hold"; number: number; isHeld: boolean }
  | { type: "network"; isOffline: boolean }
  | { type: "minute" };

const number = fc.nat(7);
const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constantFrom("page", "clone"), number }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant("raise" as const), low: fc.integer({ min: 1, max: 12 }) }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("hold" as const), number, isHeld: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("network" as const), isOffline: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("minute" as const) }) },
  ),
  { maxLength: 40 },
);

/** Runs a life of a lane at a reader, and throws where a page goes that must stay, or stays that must go. */
async function live(story: readonly Event[], broken: Parameters<typeof setUp>[0] = {}): Promise<void> {
  const { lane, pages, log, clock, received, receive, raise } = await setUp(broken);
  clock.advance(10_000);
  const held = new Set<number>();
  const here = new Set<string>();
  const wronged: string[] = [];
  let low = 0;
  const isNeeded = (each: number): boolean => held.has(each);
  log.hold(({ page }) => isNeeded(page.number));
  log.released.on(({ page: { name } }) => {
    const isSealed = name.number < low && comparePages(name, lane.page(name.number).name) === 0;
    if (!isSealed || isNeeded(name.number)) wronged.push(`${name.number}-${name.client}`);
  });
  for (const event of story) {
    if (event.type === "page") {
      const { name, update } = lane.page(event.number);
      receive(name.number, name.client, update);
    } else if (event.type === "clone") {
      receive(event.number, 7, cloneUpdate(event.number));
      here.add(`${event.number}-7`);
    } else if (event.type === "raise") {
      low = Math.max(low, event.low);
      raise(event.low);
    } else if (event.type === "hold") {
      if (event.isHeld) held.add(event.number);
      else held.delete(event.number);
    } else if (event.type === "network") {
      pages.isOffline = event.isOffline;
    } else {
      clock.advance(60_000);
    }
    await settle();
  }
  pages.isOffline = false;
  held.clear();
  const isDone = (): boolean => {
    clock.advance(60_000);
    return received.pages(writer).every((name) => name.number >= low || name.client === 7);
  };
  await until(isDone);
  await until(() => log.pages(writer).length === received.pages(writer).length);
  const shown = new Set(log.pages(writer).map(({ name }) => `${name.number}-${name.client}`));
  expect({ wronged, lost: [...here].filter((name) => !shown.has(name)) }).toEqual({ wronged: [], lost: [] });
}

describe("any life of a lane at a reader", () => {
  it("LANE-39: only what is sealed, of the chain and not held goes, and in the end all of it", async () => {
    await fc.assert(
      fc.asyncProperty(events, (story) => live(story)),
      { numRuns: 150 },
    );
  });

  it.each<[string, Parameters<typeof setUp>[0]]>([
    [
      "pages go by their number",
      { breakChains: (chains, received) => ({ ...chains, seek: byNumber(received) }) },
    ],
    ["nobody asks what is held", { breakLog: (log) => ({ ...log, isHeld: () => false }) }],
  ])("LANE-39: control: it is caught where %s", async (_, broken) => {
    const outcome = await fc.check(
      fc.asyncProperty(events, (story) => live(story, broken)),
      { numRuns: 1_000, endOnFailure: true },
    );
    expect(outcome.failed).toBe(true);
  });
});

/** A search that takes any page of a number for the chain's. */
function byNumber(received: ReceivedDocuments): Chains["seek"] {
  return async (_, __, wanted) => {
    const page = received.pages(writer).find((name) => name.number === wanted);
    return page ? { page, hash: "" } : "absent";
  };
}
