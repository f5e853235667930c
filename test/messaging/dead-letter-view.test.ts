import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { timestampFromMs } from "../../src/base/index.ts";
import { type Entry, foldEntries, type ViewDefinition } from "../../src/crdt/index.ts";
import { deadLetterView, type Letter, type Letters } from "../../src/messaging/delivery/dead-letter-view.ts";
import { readLetterKey } from "../../src/messaging/delivery/letter-blocks.ts";
import type { Json } from "../../src/protocol/index.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const planner = "anon.planner.CCCCCCCCCCC";
const message = (index: number) => `${planner}/0-7/${index}`;

/** Entries of lanes, each a millisecond after the one before. */
function createLanes() {
  const lengths = new Map<string, number>();
  const entries: Entry[] = [];
  return {
    entries,
    append(writer: string, kind: string, body: Json, parents: readonly string[] = []): string {
      const index = lengths.get(writer) ?? 0;
      lengths.set(writer, index + 1);
      const id = `${writer}/9-1/${index}`;
      const clock = timestampFromMs(1_000 + entries.length);
      entries.push({
        id,
        writer,
        page: { number: 9, client: 1 },
        index,
        clock,
        kind,
        parents,
        body,
        references: [],
      });
      return id;
    },
  };
}

const died = (messages: readonly string[], over: object = {}) => ({
  consumer: "work",
  messages: [...messages],
  outcome: "exhausted",
  reason: "it threw",
  attempts: 5,
  ...over,
});

/** What is dead, as `agent consumer message`. */
function deadOf(entries: readonly Entry[], view: ViewDefinition<Letters> = deadLetterView): string[] {
  return [...foldEntries(view, entries)].flatMap(([key, letters]) => {
    const { agent, consumer, idAt } = readLetterKey(key);
    return Object.entries(letters).flatMap(([offset, { redrive }]) =>
      redrive ? [] : `${agent} ${consumer} ${idAt(Number(offset))}`,
    );
  });
}

function letterOf(entries: readonly Entry[]): Letter | undefined {
  return Object.values([...foldEntries(deadLetterView, entries).values()][0] ?? {})[0];
}

describe("the fold of dead letters", () => {
  it("MSG-114: a letter says who gave up which message, why, and after how many deliveries", () => {
    const { entries, append } = createLanes();
    const id = append(critic, "dead-letter", died([message(3)]));
    expect(deadOf(entries)).toEqual([`anon.critic work ${message(3)}`]);
    expect(letterOf(entries)).toEqual({
      outcome: "exhausted",
      reason: "it threw",
      attempts: 5,
      at: 1_000,
      by: critic,
      entry: id,
    });
  });

  it("MSG-114: what is said twice is one letter, the first", () => {
    const { entries, append } = createLanes();
    append(critic, "dead-letter", died([message(3)]));
    append("anon.critic.BBBBBBBBBBB", "dead-letter", died([message(3)], { reason: "again" }));
    expect(letterOf(entries)).toMatchObject({ by: critic, reason: "it threw" });
  });

  it("MSG-115: a redrive takes a letter out, and another death puts it in again", () => {
    const { entries, append } = createLanes();
    const redrive = { message: message(3), agent: "anon.critic", consumer: "work" };
    append(critic, "dead-letter", died([message(3)]));
    const asked = append(planner, "redrive", redrive);
    expect(deadOf(entries)).toEqual([]);
    expect(letterOf(entries)?.redrive).toEqual({ by: planner, at: 1_001, entry: asked });
    append(critic, "dead-letter", died([message(3)], { reason: "still" }));
    expect(deadOf(entries)).toHaveLength(1);
    expect(letterOf(entries)).toMatchObject({ reason: "still" });
    expect(letterOf(entries)?.redrive).toBeUndefined();
  });

  it("MSG-115: what is not dead is not redriven, and of several who ask the last counts", () => {
    const { entries, append } = createLanes();
    const redrive = { message: message(3), agent: "anon.critic", consumer: "work" };
    append(planner, "redrive", redrive);
    append(critic, "dead-letter", died([message(3)]));
    expect(deadOf(entries)).toHaveLength(1);
    append(planner, "redrive", redrive);
    const last = append(critic, "redrive", redrive);
    expect(letterOf(entries)?.redrive?.entry).toBe(last);
  });

  it("MSG-115: an entry rests on what it names, whatever the clocks say", () => {
    const { entries, append } = createLanes();
    const redrive = { message: message(3), agent: "anon.critic", consumer: "work" };
    const first = append(critic, "dead-letter", died([message(3)]));
    const asked = append(planner, "redrive", redrive, [first]);
    append(critic, "dead-letter", died([message(3)], { reason: "still" }), [asked]);
    const clocks = [30, 20, 10].map((ms) => timestampFromMs(ms));
    const turned = entries.map((entry, at) => ({ ...entry, clock: clocks[at] as number }));
    expect(letterOf(turned.toReversed())).toMatchObject({ reason: "still" });
  });

  it("MSG-116: nobody speaks for another agent's consumer", () => {
    const { entries, append } = createLanes();
    append("eve.critic.EEEEEEEEEEE", "dead-letter", died([message(3)], { agent: "anon.critic" }));
    expect(deadOf(entries)).toEqual([`eve.critic work ${message(3)}`]);
  });

  it.each<[string, string, Json]>([
    ["no body", "dead-letter", null],
    ["no messages", "dead-letter", died([])],
    ["what is no message", "dead-letter", died(["7"])],
    ["an unknown outcome", "dead-letter", died([message(1)], { outcome: "bored" })],
    ["a reason past 1,000 characters", "dead-letter", died([message(1)], { reason: "r".repeat(1_001) })],
    ["more than 64 messages", "dead-letter", died(Array.from({ length: 65 }, (_, at) => message(at)))],
    ["a redrive of nobody's consumer", "redrive", { message: message(1), agent: "critic", consumer: "work" }],
    ["another kind", "note", died([message(1)])],
  ])("MSG-116: %s says nothing", (_, kind, body) => {
    const { entries, append } = createLanes();
    append(critic, kind, body);
    expect(foldEntries(deadLetterView, entries).size).toBe(0);
  });

  it("MSG-117: an entry speaks of the block of 64 that its first message lies in", () => {
    const { entries, append } = createLanes();
    append(critic, "dead-letter", died([message(64), message(127), message(128), message(63)]));
    expect(deadOf(entries)).toEqual([64, 127].map((index) => `anon.critic work ${message(index)}`));
  });

  const event = fc.record({
    isRedrive: fc.boolean(),
    speaker: fc.constantFrom(critic, "anon.critic.BBBBBBBBBBB", "eve.critic.EEEEEEEEEEE"),
    agent: fc.constantFrom("anon.critic", "eve.critic"),
    consumer: fc.constantFrom("work", "direct/*", "two words"),
    first: fc.constantFrom(0, 1, 64, 65),
    more: fc.boolean(),
  });

  /** The fold against a set of what is dead. */
  const agrees = (view: ViewDefinition<Letters>) =>
    fc.property(fc.array(event, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (events, picks) => {
      const { entries, append } = createLanes();
      const dead = new Set<string>();
      for (const { isRedrive, speaker, agent, consumer, first, more } of events) {
        if (isRedrive) {
          append(planner, "redrive", { message: message(first), agent, consumer });
          dead.delete(`${agent} ${consumer} ${message(first)}`);
          continue;
        }
        const messages = [first, ...(more ? [first + 1] : [])].map(message);
        append(speaker, "dead-letter", died(messages, { consumer }));
        const [principal, name] = speaker.split(".");
        for (const id of messages) dead.add(`${principal}.${name} ${consumer} ${id}`);
      }
      const shuffled = entries
        .map((entry) => ({ entry, at: picks.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ entry }) => entry);
      expect(deadOf(shuffled, view).sort()).toEqual([...dead].sort());
    });

  it("MSG-118: whatever was said in whatever order it came, dead is what was given up and not redriven since", () => {
    fc.assert(agrees(deadLetterView), { numRuns: 500 });
  });

  it.each<[string, Partial<ViewDefinition<Letters>>]>([
    [
      "forgets redrives",
      {
        step: (letters, entry) => (entry.kind === "redrive" ? letters : deadLetterView.step(letters, entry)),
      },
    ],
    [
      "keeps the first word for good",
      {
        step: (letters, entry) =>
          Object.keys(letters).length > 0 ? letters : deadLetterView.step(letters, entry),
      },
    ],
    ["lets anybody speak", { key: (entry) => deadLetterView.key(entry)?.replace("eve.", "anon.") }],
  ])("MSG-118: the property fails for a fold that %s", (_, broken) => {
    expect(() => fc.assert(agrees({ ...deadLetterView, ...broken }), { numRuns: 500 })).toThrow();
  });
});
