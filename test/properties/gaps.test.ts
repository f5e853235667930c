import { describe, expect, it } from "vitest";
import type { Agent, LaneGap, OnMessageOptions, Room } from "../../src/index.ts";
import { comparePages, parseEntryId } from "../../src/protocol/index.ts";
import { createSimulation, type SimulatedReplica, type Simulation } from "../../src/testing/index.ts";
import { isCaught, lyingDisk } from "./faults.ts";
import { relayCode } from "./flock.ts";
import type { Tamper } from "./member.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

/** Pages of four entries of which eight stay live: a lane is sealed while it is spoken of. */
const lanes = { pageEntries: 4, liveEntries: 8, livePages: 4 };

interface Options {
  /** How many bytes of each lane's history are kept, drawn from these. */
  keeps: readonly number[];
  /** How the reader opens its consumer in a life; default as an application does. */
  consumer?: (life: number) => OnMessageOptions;
  /** Whether the reader listens when it is told of a gap. Default true. */
  listens?: boolean;
  tamper?: Tamper;
}

/** What a reader has seen over all its lives. */
interface Ledger {
  /** Messages to the reader that their device has promised to keep. */
  promised: Set<string>;
  /** In the order of their first handling. */
  handled: Set<string>;
  gaps: { life: number; gap: LaneGap; at: number }[];
  /** When each life of the reader ended. */
  deaths: Map<number, number>;
}

const senders = ["ann", "ben"];

/** Plays a flock whose reader is away most of the time, and returns what is wrong in the end. */
async function play(seed: number, options: Options): Promise<void> {
  const { keeps, consumer = () => ({}), listens = true, tamper = ({ platform }) => platform } = options;
  const simulation = createSimulation({ seed: `gaps ${seed}`, relay: relayCode });
  try {
    await playIn(simulation, { keeps, consumer, listens, tamper });
  } finally {
    await simulation.close();
  }
}

async function playIn(
  simulation: Simulation,
  { keeps, consumer, listens, tamper }: Required<Options>,
): Promise<void> {
  const { random } = simulation;
  const historyBytes = random.pick(keeps);
  const ledger: Ledger = { promised: new Set(), handled: new Set(), gaps: [], deaths: new Map() };
  const problems: string[] = [];
  const tabs = new Map<string, { replica: SimulatedReplica; room: Room; agent: Agent }>();
  let lives = 0;
  let counter = 0;

  async function open(name: string): Promise<void> {
    const replica = simulation.replica(name);
    const room = await simulation.until(
      replica.open("lab", {
        retention: { historyBytes },
        platform: { ...(name === "reader" ? tamper(replica) : replica.platform), lanes },
      }),
    );
    room.onProblem(({ code, message }) => {
      if (code !== "messaging/gap" && code !== "messaging/handler-failed")
        problems.push(`${code}: ${message}`);
    });
    const agent = await simulation.until(room.agent(name === "reader" ? "reader" : "sender"));
    tabs.set(name, { replica, room, agent });
    if (name === "reader") listen(replica, agent, ++lives);
  }

  function listen(replica: SimulatedReplica, agent: Agent, life: number): void {
    const draw = simulation.random.fork(`reader ${life}`);
    const pause = (): Promise<void> =>
      new Promise((resolve) => replica.clock.after(draw.between(0, 60), resolve));
    agent.onMessage(
      {},
      async ({ id }) => {
        await pause();
        if (draw.chance(0.05)) throw new Error("a handler's bad day");
        ledger.handled.add(id);
      },
      {
        async onGap(gap) {
          await pause();
          if (draw.chance(0.2)) throw new Error("a bad day for gaps");
          if (listens) ledger.gaps.push({ life, gap, at: simulation.now() });
        },
        ...consumer(life),
      },
    );
  }

  async function restart(name: string): Promise<void> {
    tabs.get(name)?.replica.crash();
    if (name === "reader") ledger.deaths.set(lives, simulation.now());
    await open(name);
  }

  function send(name: string): void {
    const { agent } = tabs.get(name) as { agent: Agent };
    for (let left = random.between(1, 40); left > 0; left--) {
      const to = random.chance(0.7) ? "reader" : "nobody";
      agent.send({ to, type: "QUERY", content: counter++ }).then(
        (sent) => {
          const promise = (): unknown => to === "reader" && ledger.promised.add(sent.id);
          sent.settled("local").then(promise, () => undefined);
        },
        () => undefined,
      );
    }
  }

  for (const name of [...senders, "reader"]) await open(name);
  for (let step = 0; step < 30; step++) {
    const reader = tabs.get("reader") as { replica: SimulatedReplica };
    const act = random.below(20);
    if (act < 10) send(random.pick(senders));
    else if (act < 13) reader.replica.partition();
    else if (act < 15) reader.replica.heal();
    else if (act < 17) await restart("reader");
    else if (act < 18) await restart(random.pick(senders));
    else if (simulation.relay.up) simulation.relay.crash();
    else simulation.relay.start();
    await simulation.advance(random.pick([50, 1_000, 15_000, 90_000]));
  }
  simulation.heal();
  const missing = (): string[] => [...ledger.promised].filter((id) => !isAccountedFor(id, ledger));
  await simulation.untilTrue(() => missing().length === 0).catch(() => undefined);
  await simulation.advance(120_000);
  const complaints = [
    ...missing().map((id) => `${id} was neither handled nor told as lost`),
    ...complaintsOfGaps(ledger),
    ...complaintsOfOrder(ledger),
    ...problems,
  ];
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
}

function isAccountedFor(id: string, { handled, gaps }: Ledger): boolean {
  const address = parseEntryId(id);
  if (!address || handled.has(id)) return true;
  const { writer, page } = address;
  return gaps.some(({ gap }) => gap.lane === writer && gap.from <= page.number && page.number <= gap.to);
}

/** One gap for each jump: told again only to a later life, whose predecessor died before it was stored. */
function* complaintsOfGaps({ gaps, deaths }: Ledger): Iterable<string> {
  for (const [index, { life, gap, at }] of gaps.entries()) {
    const isStored = (deaths.get(life) ?? Number.POSITIVE_INFINITY) > at + 5_000;
    for (const later of gaps.slice(index + 1)) {
      if (later.gap.lane !== gap.lane || later.gap.from > gap.to || later.gap.to < gap.from) continue;
      const isSame = later.gap.from === gap.from && later.gap.to >= gap.to;
      if (later.life === life || isStored || !isSame)
        yield `the gap ${JSON.stringify(gap)} was told again, as ${JSON.stringify(later.gap)}`;
    }
  }
}

/** What was handled for the first time came in the order of its lane. */
function* complaintsOfOrder({ handled }: Ledger): Iterable<string> {
  const newest = new Map<string, string>();
  for (const id of handled) {
    const at = parseEntryId(id);
    const before = at && newest.get(at.writer);
    const last = before === undefined ? undefined : parseEntryId(before);
    if (!at) continue;
    if (last && (comparePages(last.page, at.page) || last.index - at.index) > 0)
      yield `${id} was first handled after ${before}`;
    newest.set(at.writer, id);
  }
}

describe("readers who are away for long", () => {
  const forGood: Options = { keeps: [Number.POSITIVE_INFINITY] };
  const forAWhile: Options = { keeps: [1_000, 3_000, 8_000] };

  forSeeds("PROP-15 handle all that was sealed meanwhile, in lane order", seedsFor(40), (seed) =>
    play(seed, forGood),
  );

  forSeeds("PROP-16 handle each message or are told once of the gap it is in", seedsFor(40), (seed) =>
    play(seed, forAWhile),
  );

  it("PROP-15 control: a consumer that skips what is sealed is caught", async () => {
    const skipping: Options = {
      ...forGood,
      consumer: (life) => ({ consumer: `life ${life}`, from: "live" }),
    };
    expect(await isCaught(/neither handled/, 20, (seed) => play(seed, skipping))).toBe(true);
  });

  it("PROP-16 control: a gap that nobody hears of is caught", async () => {
    const deaf: Options = { ...forAWhile, listens: false };
    expect(await isCaught(/neither handled/, 20, (seed) => play(seed, deaf))).toBe(true);
  });

  it("PROP-16 control: a consumer that forgets that it was told is caught", async () => {
    const tamper = lyingDisk((_, { put = [] }) => put.some(([key]) => key === "register"));
    expect(await isCaught(/told again/, 40, (seed) => play(seed, { ...forAWhile, tamper }))).toBe(true);
  });
});
