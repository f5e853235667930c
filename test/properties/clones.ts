import { type Agent, isFlockError, type Room } from "../../src/index.ts";
import type { SimulatedReplica, Simulation } from "../../src/testing/index.ts";

/** A tab over its reloads: at each moment open, opening, or gone. */
interface Side {
  readonly name: string;
  readonly browser: string;
  replica: SimulatedReplica | undefined;
  room: Room | undefined;
  agent: Agent | undefined;
  /** Whether it is closing in order, and holds its name until then. */
  isClosing: boolean;
}

export interface WritersOptions {
  /** Whether the browser is copied, running or not, and both go on. Default true. */
  clone?: boolean;
  /** Whether the browsers have locks. Default true. */
  locks?: boolean;
  /** How many tabs the first browser has. Default 1. */
  tabs?: number;
  /** What tests do to a tab before its room opens. */
  tamper?: (replica: SimulatedReplica) => SimulatedReplica["platform"];
}

const roomId = "lab";
const healMs = 120_000;
const lookEveryMs = 1_000;
/** Longer than a fork takes to be seen and told. */
const calmMs = 5_000;

/**
 * Lets the tabs of one browser, and of its copy, say things while they reload, crash and lose the network; then
 * everything heals.
 *
 * @throws Error with everything that the healed rooms must not show, one complaint a line.
 */
export async function playWriters(simulation: Simulation, options: WritersOptions = {}): Promise<void> {
  const { clone = true, locks = true, tabs = 1, tamper = ({ platform }) => platform } = options;
  const random = simulation.random.fork("writers");
  const failures: unknown[] = [];
  const said = new Set<string>();
  const heard = new Set<string>();
  let counter = 0;

  simulation.browser("home", { locks });
  const sides: Side[] = Array.from({ length: tabs }, (_, index) => side(`home ${index}`, "home"));
  const outside = side("outside", "elsewhere");

  function side(name: string, browser: string): Side {
    return { name, browser, replica: undefined, room: undefined, agent: undefined, isClosing: false };
  }

  async function furnish(own: Side, replica: SimulatedReplica): Promise<void> {
    const room = await replica.open(roomId, { platform: tamper(replica) });
    room.onProblem((error) => failures.push(error));
    const agent = await room.agent(own === outside ? "listener" : "speaker");
    if (own === outside) {
      agent.onMessage({ topic: "news" }, ({ content }) => heard.add(String(content)));
    }
    if (own.replica !== replica) return;
    own.room = room;
    own.agent = agent;
  }

  function open(own: Side): void {
    const replica = simulation.replica(own.name, { browser: own.browser });
    own.replica = replica;
    furnish(own, replica).catch((failure: unknown) => {
      if (replica.alive) failures.push(failure);
    });
  }

  function leave(own: Side): void {
    own.replica = undefined;
    own.room = undefined;
    own.agent = undefined;
  }

  function say({ agent, name }: Side): void {
    if (!agent) return;
    for (let count = random.between(1, 3); count > 0; count--) {
      const content = `${name} says ${counter++}`;
      agent
        .send({ topic: "news", type: "STATUS", content })
        .then((sent) => sent.settled("local"))
        .then(
          () => said.add(content),
          () => undefined,
        );
    }
  }

  const acts: [weight: number, act: (own: Side) => void][] = [
    [40, say],
    [6, ({ replica }) => (random.chance(0.5) ? replica?.partition() : replica?.heal())],
    [4, ({ replica }) => replica?.cut()],
    [
      5,
      (own) => {
        const { replica } = own;
        leave(own);
        replica?.crash();
      },
    ],
    [
      4,
      (own) => {
        const { replica, room } = own;
        if (!room) return;
        leave(own);
        own.isClosing = true;
        void room.close().then(() => {
          replica?.crash();
          own.isClosing = false;
        });
      },
    ],
    [1, () => (simulation.relay.up ? simulation.relay.crash() : simulation.relay.start())],
    [1, () => simulation.relay.reset()],
  ];
  const bag = acts.flatMap(([weight, act]) => Array<typeof act>(weight).fill(act));

  async function live(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      await simulation.advance(random.chance(0.2) ? random.between(0, 10_000) : random.between(0, 300));
      const own = random.pick(sides);
      if (own.replica) random.pick(bag)(own);
      else if (!own.isClosing) open(own);
    }
  }

  async function heal(): Promise<void> {
    simulation.heal();
    for (let waitedMs = 0; waitedMs < healMs; waitedMs += lookEveryMs) {
      for (const own of [...sides, outside]) if (!own.replica && !own.isClosing) open(own);
      await simulation.advance(lookEveryMs);
      if (complaints().length === 0) break;
    }
    await simulation.advance(calmMs);
  }

  /** The writers of the first browser that its databases call forked. */
  async function forked(): Promise<string[]> {
    const { platform } = simulation.replica("inspector", { browser: "home" });
    const read = async (database: string, prefix: string) => {
      const store = await platform.persistence?.open(`${databases(simulation)}${database}`);
      return (await store?.entries(prefix)) ?? [];
    };
    const ids = (await simulation.until(read("records", "writer/"))).map(([key]) =>
      key.slice("writer/".length),
    );
    const found: string[] = [];
    for (const id of ids) {
      const [identity] = await simulation.until(read(`writer/${id}`, "identity"));
      if (JSON.stringify(identity).includes("forked")) found.push(id);
    }
    return found;
  }

  function complaints(): string[] {
    const found = failures.map(describe);
    for (const own of [...sides, outside]) {
      const { name, room } = own;
      const contents = room?.messages.get().map(({ content }) => String(content)) ?? [];
      for (const content of said) {
        const count = contents.filter((each) => each === content).length;
        if (count !== 1) found.push(`${name} has "${content}" ${count} times`);
      }
      if (room?.status.get().pending !== 0) found.push(`${name} has writes pending`);
    }
    for (const content of said) if (!heard.has(content)) found.push(`nobody handled "${content}"`);
    const ids = sides.map(({ agent }) => agent?.writer);
    if (new Set(ids).size !== ids.length) found.push(`two tabs are one writer: ${ids.join(", ")}`);
    return found;
  }

  open(outside);
  for (const own of sides) open(own);
  await live(15);
  if (clone) {
    simulation.browser("home").clone("copy");
    sides.push(side("copy", "copy"));
  }
  await live(35);
  await heal();
  const found = complaints();
  if (!clone) for (const id of await forked()) found.push(`${id} counts as forked`);
  if (found.length > 0) throw new Error(found.join("\n"));
}

/** The first part of the names of the room's databases. */
function databases({ relay }: Simulation): string {
  return `flockstate/${encodeURIComponent(new URL(relay.url).host)}/${roomId}/anon/`;
}

function describe(failure: unknown): string {
  if (isFlockError(failure)) return `${failure.code}: ${failure.message}`;
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}
