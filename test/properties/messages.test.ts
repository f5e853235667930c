import { afterEach, describe, expect, it, vi } from "vitest";
import type { ConsumerPositionsOptions } from "../../src/messaging/consumer/consumer-positions.ts";
import type { ConsumerRecord, RegisterRecord } from "../../src/protocol/index.ts";
import { explore, type FlockStep, type Scenario } from "../../src/testing/index.ts";
import { isCaught, lyingDisk } from "./faults.ts";
import { relayCode } from "./flock.ts";
import type { MessagesBook } from "./messages-book.ts";
import { crewScenario } from "./messages-crew.ts";
import { type MessagesFlockOptions, messagesScenario } from "./messages-flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

/** Of the present run: the book, into which goes what every consumer publishes, and how positions are broken. */
const present = vi.hoisted(
  (): { book: MessagesBook | undefined; learnsNothing: boolean; keepsMarks: boolean } => ({
    book: undefined,
    learnsNothing: false,
    keepsMarks: false,
  }),
);

vi.mock("../../src/messaging/consumer/consumer-positions.ts", async (original) => {
  const positions = await original<typeof import("../../src/messaging/consumer/consumer-positions.ts")>();
  return {
    ...positions,
    createConsumerPositions(options: ConsumerPositionsOptions) {
      const { name, writer, documents } = options;
      const marks = new Map<string, Record<string, number>>();
      const watched = {
        ...writer,
        get id() {
          return writer.id;
        },
        setRegister(record: RegisterRecord) {
          const said = record.consumers[name];
          if (said && present.keepsMarks) keepMarks(marks, said);
          if (said) {
            present.book?.published({
              writer: writer.id,
              name,
              record: said,
              others: documents.registers(),
              liveIn: (lane) => liveIn(documents, lane),
            });
          }
          writer.setRegister(record);
        },
      };
      if (!present.learnsNothing) return positions.createConsumerPositions({ ...options, writer: watched });
      const deaf = Object.assign(Object.create(documents), { registers: () => new Map() });
      return { ...positions.createConsumerPositions({ ...options, documents: deaf }), learn: () => false };
    },
  };
});

/** Adds the marks of all pages that the consumer ever had one of. */
function keepMarks(marks: Map<string, Record<string, number>>, { lanes }: ConsumerRecord): void {
  for (const [lane, position] of Object.entries(lanes)) {
    const all = { ...marks.get(lane), ...position.pages };
    marks.set(lane, all);
    Object.assign(position.pages, all);
  }
}

function liveIn(
  { register, log }: ConsumerPositionsOptions["documents"],
  lane: string,
): string[] | undefined {
  const pages = log.pages(lane);
  if (!register(lane) && pages.length === 0) return undefined;
  return pages.flatMap(({ entries }) => entries.map(({ id }) => id));
}

const watched: MessagesFlockOptions = {
  onBook(book) {
    present.book = book;
  },
};

const modules = {
  retries: "../../src/messaging/consumer/delivery-rules.ts",
  letters: "../../src/messaging/delivery/dead-letter-writer.ts",
  redrives: "../../src/messaging/delivery/redrive.ts",
  rendezvous: "../../src/messaging/consumer/rendezvous.ts",
} as const;

function isCaughtWith(complaint: RegExp, options: MessagesFlockOptions): Promise<boolean> {
  const scenario = messagesScenario({ ...watched, ...options });
  return isCaught(complaint, 40, (seed) => play(scenario, seed));
}

function play<Step>(scenario: Scenario<Step>, seed: number, tryOut = explore): Promise<unknown> {
  return tryOut(scenario, { relay: relayCode, seeds: [seed], shrinkRuns: 0 });
}

/** Plays over a build of the sources in which something of one module is broken. */
async function isCaughtWithout(
  complaint: RegExp,
  module: keyof typeof modules,
  broken: (sound: Record<string, unknown>) => Record<string, unknown>,
  { isCrew = false } = {},
): Promise<boolean> {
  vi.resetModules();
  vi.doMock(modules[module], async (original) => {
    const sound = await original<Record<string, unknown>>();
    return { ...sound, ...broken(sound) };
  });
  const flock = await import("./messages-flock.ts");
  const crew = await import("./messages-crew.ts");
  const { explore: tryOut } = await import("../../src/testing/index.ts");
  return isCaught(complaint, 40, (seed) =>
    isCrew ? play(crew.crewScenario(), seed, tryOut) : play(flock.messagesScenario(), seed, tryOut),
  );
}

afterEach(() => {
  Object.assign(present, { book: undefined, learnsNothing: false, keepsMarks: false });
  for (const module of Object.values(modules)) vi.doUnmock(module);
  vi.resetModules();
});

describe("messages, their consumers and what becomes of them", () => {
  forSeeds(
    "PROP-30 PROP-31 PROP-32 PROP-33 PROP-34 PROP-35 each ends, on record, in order, known to all",
    seedsFor(500),
    messagesScenario(watched),
  );

  it("PROP-30 control: what has failed once and is not delivered again is caught", async () => {
    const broken = () => ({ retryAfterMs: () => 10 ** 9 });
    expect(await isCaughtWithout(/is shown by .* as (pending|in-flight)/, "retries", broken)).toBe(true);
  });

  it("PROP-30 control: letters that are said to be written and are not are caught", async () => {
    const broken = () => ({ deadLetterWriter: () => async () => undefined });
    expect(await isCaughtWithout(/neither acknowledged nor gave up/, "letters", broken)).toBe(true);
  });

  it("PROP-31 control: handlers that acknowledge before it is on record are caught", async () => {
    expect(await isCaughtWith(/lacks the effect/, { hands: { isHasty: true } })).toBe(true);
  });

  it("PROP-31 control: a new tab that learns nothing from others is caught", async () => {
    present.learnsNothing = true;
    const scenario = messagesScenario();
    const isCaughtHere = isCaught(/for a new tab|knows to be/, 20, (seed) => play(scenario, seed));
    expect(await isCaughtHere).toBe(true);
  });

  it("PROP-32 control: a disk that loses positions is caught", async () => {
    const tamper = lyingDisk((_, { put = [] }) => put.some(([key]) => key === "register"));
    expect(await isCaughtWith(/forgets .* it has said before/, { tamper })).toBe(true);
  });

  it("PROP-32 control: positions that keep a mark of each page are caught", async () => {
    present.keepsMarks = true;
    expect(await isCaughtWith(/says of .* where/, { steps: 50 })).toBe(true);
  });

  it("PROP-33 control: a consumer that keeps no order is caught", async () => {
    const hands = { delivery: { order: "none" as const } };
    expect(await isCaughtWith(/beside|before it was done/, { hands })).toBe(true);
  });

  it("PROP-35 control: redrives that nobody writes are caught", async () => {
    const broken = () => ({
      redrive: async ({ id }: { id: string }) => ({ id, settled: async () => undefined }),
    });
    expect(await isCaughtWithout(/was not called again/, "redrives", broken)).toBe(true);
  });
});

/** Steps that a failure was shrunk to, with the seed of their world. */
const shrunk: readonly { title: string; seed: number; steps: readonly FlockStep[] }[] = [
  {
    title: "PROP-31 what another acknowledged while it was counted on disk here is not handled again",
    seed: 27,
    steps: [
      { afterMs: 49, does: "come", on: "m1", draw: 0 },
      { afterMs: 0, does: "send", on: "m0", draw: 3839 },
      { afterMs: 18, does: "send", on: "m1", draw: 0 },
    ],
  },
  {
    title: "PROP-32 a register that told of a lane before the lane came counts once it has come",
    seed: 657,
    steps: [
      { afterMs: 51, does: "redrive", on: "m1", draw: 0 },
      { afterMs: 5, does: "relayCrash", forMs: 5 },
      { afterMs: 0, does: "send", on: "m0", draw: 0 },
    ],
  },
  {
    title: "PROP-30 what names a writer that has sealed it is handled by whoever reads the lane",
    seed: 1550,
    steps: [
      { afterMs: 311, does: "go", on: "m0", draw: 0 },
      { afterMs: 0, does: "send", on: "m1", draw: 2095 },
      { afterMs: 135, does: "send", on: "m1", draw: 2577 },
      { afterMs: 0, does: "come", on: "m0", draw: 9523 },
      { afterMs: 200, does: "send", on: "m1", draw: 3078 },
      { afterMs: 0, does: "crash", on: "m0", forMs: 200 },
      { afterMs: 329, does: "mute", on: "m1", forMs: 60000 },
      { afterMs: 163, does: "close", on: "m1", forMs: 60000 },
      { afterMs: 0, does: "partition", on: "m1", forMs: 200 },
      { afterMs: 0, does: "crash", on: "m1", forMs: 20000 },
      { afterMs: 10000, does: "send", on: "m0", draw: 2150 },
      { afterMs: 21124, does: "send", on: "m0", draw: 0 },
      { afterMs: 0, does: "send", on: "m1", draw: 5377 },
      { afterMs: 0, does: "send", on: "m1", draw: 5192 },
      { afterMs: 86, does: "crash", on: "m0", forMs: 0 },
      { afterMs: 0, does: "crash", on: "m1", forMs: 0 },
    ],
  },
  {
    title: "PROP-32 who only learns from others keeps no mark of each page",
    seed: 54,
    steps: [
      { afterMs: 9000, does: "send", on: "m1", draw: 2601 },
      { afterMs: 0, does: "send", on: "m0", draw: 2197 },
      { afterMs: 90, does: "send", on: "m0", draw: 0 },
      { afterMs: 0, does: "send", on: "m0", draw: 4834 },
      { afterMs: 0, does: "send", on: "m0", draw: 1125 },
    ],
  },
];

describe("what shrunk runs brought to light stays mended", () => {
  it.each(shrunk)("$title", async ({ seed, steps }) => {
    await explore(messagesScenario(watched), { relay: relayCode, seeds: [seed], steps, shrinkRuns: 0 });
  });
});

describe("a group to which nothing happens", () => {
  forSeeds("PROP-34 handles each message once", seedsFor(500), async (seed) => play(crewScenario(), seed));

  it("PROP-34 control: members who all take everything are caught", async () => {
    const broken = () => ({ pick: ([first]: Iterable<string>) => first });
    expect(await isCaughtWithout(/was handled [2-9] times/, "rendezvous", broken, { isCrew: true })).toBe(
      true,
    );
  });
});
