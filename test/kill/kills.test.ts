import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRandom } from "../protocol/gate/random.ts";
import { type Death, type Outcome, runCampaign, type Survey, surveySteps } from "./campaign.ts";
import { everyStep, randomDeaths } from "./deaths.ts";
import { judge } from "./judgement.ts";
import { createEvidence, createMember } from "./member.ts";
import { createRelayInDanger, type RelayInDanger } from "./relay-in-danger.ts";
import type { Breakage } from "./worker/broken-storage.ts";

const kills = Number(process.env["FLOCKSTATE_KILLS"] ?? 12);
const seed = Number(process.env["FLOCKSTATE_SEED"] ?? 1);
const report = process.env["FLOCKSTATE_KILLS_REPORT"];
const secondMs = 1_000;
/** So many in one document call for a compaction, which the room then makes within seconds. */
const manyRows = 210;

/** Steps without which the suite would not be about what it says; those without an event, at any. */
const required = [
  ...["waking/begins", "waking/create rows", "opening/begins", "message/begins", "close/begins"],
  ...["transaction begins", "insert documents", "insert rows", "insert clocks", "transaction ends"],
  ...["delete rows", "delete clocks", "delete places", "delete documents"],
  ...["transaction over", "on disk", "a moment later"],
  ...["begins", "transaction begins", "delete rows", "insert rows", "transaction ends", "on disk"].map(
    (step) => `alarm/${step}`,
  ),
  ...["acknowledge", "update", "welcome", "presences"].flatMap((content) => [
    `sends ${content}`,
    `sent ${content}`,
  ]),
];

describe("a relay that is killed", () => {
  let relay: RelayInDanger;
  let survey: Survey;

  beforeAll(async () => {
    relay = await createRelayInDanger();
    survey = await surveySteps(relay, seed);
  }, 60 * secondMs);

  afterAll(() => relay.dispose());

  test("KILL-1 to 5, 8: at every step that it has: nothing acknowledged is lost, nobody is ahead, the room goes on", {
    timeout: 300 * secondMs,
  }, async () => {
    const deaths = everyStep(survey, createRandom(seed));
    const outcome = await runCampaign(relay, deaths, { seed, name: "steps" });
    expect(outcome.broken).toEqual([]);
    const reached = [...outcome.killedAt.keys()].flatMap((step) => [step, step.slice(step.indexOf("/") + 1)]);
    expect(required.filter((step) => !reached.includes(step))).toEqual([]);
  });

  test(`KILL-1 to 5, 8: at random steps and moments, ${kills} times (seed ${seed})`, {
    timeout: (60 + kills * 3) * secondMs,
  }, async () => {
    const deaths = take(randomDeaths(survey, createRandom(seed)), kills);
    const outcome = await runCampaign(relay, deaths, { seed, name: "random" });
    if (report !== undefined) writeFileSync(report, summaryOf(outcome));
    expect(outcome.broken).toEqual([]);
    expect(outcome.kills).toBe(kills);
  });
});

test("KILL-7: what a kill kept from being compacted is compacted by the alarm, with nobody in the room", {
  timeout: 60 * secondMs,
}, async () => {
  const relay = await createRelayInDanger();
  const evidence = createEvidence();
  const member = createMember({ room: "alone", evidence });
  const first = await relay.start({ step: "alarm/begins" });
  await member.connect(first.url);
  for (let count = 0; count < manyRows; count++) {
    member.edit("register/anon.writer.x7", (doc) => doc.getMap("r").set("v", { count }));
    await member.socket?.until(() => member.unacknowledged === 0, "an acknowledgement");
  }
  await first.kill();
  const second = await relay.start({ step: "alarm/on disk" });
  await second.over;
  expect(second.diedAt).toBe("alarm/on disk");
  const third = await relay.start();
  const fresh = createMember({ room: "alone", evidence });
  await fresh.connect(third.url);
  expect(judge({ evidence, members: [member], fresh })).toEqual([]);
  expect(fresh.received.length).toBeLessThan(manyRows / 2);
  await relay.dispose();
});

describe("a broken relay is convicted", () => {
  const moments: Death[] = Array.from({ length: 10 }, (_, index) => ({ afterMs: 50 + index * 10 }));
  const afterCompaction: Death = { step: "alarm/on disk", hits: 1, when: "bulky" };
  const cases: [Breakage, Death[], RegExp][] = [
    ["late-rows", moments, /KILL-1.*lost an acknowledged|KILL-2.*ahead of the disk/],
    ["forgotten-presences", moments, /presence id \d+ was given twice/],
    ["late-drops", moments, /KILL-8.*came back/],
    ["torn-snapshots", [afterCompaction, ...moments.slice(0, 1)], /KILL-1.*lost an acknowledged/],
  ];
  test.each(cases)("KILL control: %s", { timeout: 120 * secondMs }, async (breakage, deaths, verdict) => {
    const relay = await createRelayInDanger({ breakage });
    const { broken } = await runCampaign(relay, deaths, { seed, name: "broken" });
    await relay.dispose();
    expect(broken.join("\n")).toMatch(verdict);
  });
});

function* take<T>(from: Iterable<T>, count: number): Iterable<T> {
  let taken = 0;
  for (const each of from) {
    if (taken++ === count) return;
    yield each;
  }
}

function summaryOf({ kills, killedAt, broken }: Outcome): string {
  const steps = [...killedAt].sort(([, one], [, other]) => other - one);
  return JSON.stringify({ seed, kills, broken, steps: Object.fromEntries(steps) }, null, 2);
}
