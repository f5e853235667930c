import { createInMemoryStorage, createRoomCore } from "../../src/edge/index.ts";
import { isFlockError, type ListedMessage, type Write } from "../../src/index.ts";
import { createSimulatedRandom, createSimulation, type Simulation, type SimulationOptions } from "../../src/testing/index.ts";
import { drawPlan, drawWorld, type FlockPlan, usualWeights, type Weights, type World } from "./flock-plan.ts";
import { createFlockLedger, type FlockLedger } from "./ledger.ts";
import { createMember, type Handling, type Member, type Tamper } from "./member.ts";

type Storage = ReturnType<typeof createInMemoryStorage>;
type RelayCode = SimulationOptions<Storage, ReturnType<Parameters<ReturnType<typeof createRoomCore>["accept"]>[0]["readAttachment"]>>["relay"];

/** The relay's real code. */
export const relayCode: RelayCode = { createStorage: createInMemoryStorage, createCore: createRoomCore };

export interface FlockOptions {
  weights?: Partial<Weights>;
  /** How many things happen before the heal. */
  steps?: number;
  /** No two replicas have agents of one name. Default false. */
  ownAgents?: boolean;
  /** All replicas are tabs of one browser, and no relay is ever there. Default false. */
  alone?: boolean;
  relay?: RelayCode;
  tamper?: Tamper;
  handling?: Handling;
  trace?: (line: string) => void;
}

/** What a run left behind. */
export interface FlockOutcome {
  plan: FlockPlan;
  ledger: FlockLedger;
  /** By replica; each has the room's state and messages after the heal. */
  finals: readonly { name: string; state: string; messages: readonly ListedMessage[]; pending: number }[];
  fingerprint: string;
  events: number;
}

const healMs = 300_000;
const calmMs = 3_000;

/** Plays a run of a flock: everything that may happen happens, then everything heals. */
export async function playFlock(seed: number, options: FlockOptions = {}): Promise<FlockOutcome> {
  const { relay = relayCode, trace } = options;
  const world = drawWorld(createSimulatedRandom(`${seed}/world`));
  const simulation = createSimulation({
    seed,
    relay,
    latency: world.latency,
    // Without a relay nobody tells what a tab missed for good.
    tabChannels: { ...world.tabChannels, ...(options.alone && { drop: 0 }) },
    ...(trace && { trace }),
  });
  try {
    return await play(simulation, world, options);
  } finally {
    await simulation.close();
  }
}

async function play(simulation: Simulation, world: World, options: FlockOptions): Promise<FlockOutcome> {
  const { random, relay } = simulation;
  const { steps = 50, ownAgents = false, tamper = ({ platform }) => platform, handling = (finish) => finish() } = options;
  const { alone = false } = options;
  const weights = { ...usualWeights, ...world.mood, ...options.weights, ...(alone && { relayCrash: 0, relayReset: 0, relaySleep: 0 }) };
  const plan = drawPlan(random.fork("plan"), { ownAgents, sharing: alone ? 1 : world.sharing });
  const ledger = createFlockLedger();
  let healing = false;
  const members = plan.members.map((planned) =>
    createMember({ simulation, plan, planned, ledger, tamper, handling, mayFail: () => !healing }),
  );
  let counter = 0;
  let browsers = 0;

  function keep(what: string, write: Write, { browser }: Member): void {
    for (const stage of ["local", "relayed"] as const) {
      write.settled(stage).then(
        () => ledger.promise(what, stage, browser),
        () => undefined,
      );
    }
  }

  function edit(member: Member): void {
    const room = member.room;
    if (!room) return;
    const { notes, board, log, kept, rows } = room.state;
    const value = `${member.name}-${counter++}`;
    const edits: (() => void)[] = [
      () => notes.insert(random.below(notes.y.length + 1), value),
      () => {
        const { length } = notes.y;
        if (length > 0) notes.delete(random.below(length), 1);
      },
      () => board.set(`key-${random.below(4)}`, random.below(1000)),
      () => board.delete(`key-${random.below(4)}`),
      () => log.insert(random.below(log.y.length + 1), value),
      () => {
        const { length } = log.y;
        if (length > 0) log.delete(random.below(length));
      },
      () => keep(`kept ${value}`, kept.push(value), member),
      () => rows.set({ id: `row-${random.below(4)}`, value: random.below(1000) }),
      () => rows.delete(`row-${random.below(4)}`),
    ];
    if (random.chance(0.3)) {
      room.transact(() => {
        random.pick(edits)();
        random.pick(edits)();
      });
    } else random.pick(edits)();
  }

  function send(member: Member): void {
    const agents = [...member.agents.values()];
    if (agents.length === 0) return;
    const agent = random.pick(agents);
    const to = random.chance(0.2) ? { topic: plan.topic } : { to: random.pick([...plan.consumers.keys()]) };
    const count = random.chance(0.3) ? random.between(2, 5) : 1;
    for (let index = 0; index < count; index++) {
      const size = random.chance(0.05) ? 12_000 : 10;
      const content = { number: counter++, filling: "x".repeat(size) };
      agent.send({ ...to, type: random.pick(["QUERY", "STATUS"]), content }).then(
        (sent) => keep(`message ${sent.id}`, sent, member),
        () => undefined,
      );
    }
  }

  function loseBrowser(member: Member): void {
    const lost = member.browser;
    const fresh = `browser-new-${browsers++}`;
    for (const each of members) {
      if (each.browser !== lost) continue;
      each.crash();
      each.browser = fresh;
    }
    ledger.lost(lost);
  }

  const acts: Record<keyof Weights, (member: Member) => void> = {
    edit,
    send,
    cut: ({ replica }) => replica?.cut({ silent: random.chance(0.2) }),
    partition: ({ replica }) =>
      random.chance(0.5) ? replica?.partition({ silent: random.chance(0.2) }) : replica?.heal(),
    disconnect: ({ room }) => (random.chance(0.5) ? room?.disconnect() : room?.connect()),
    crash: (member) => member.crash(),
    close: (member) => member.close(),
    relayCrash: () => (relay.up ? relay.crash() : relay.start()),
    relaySleep: () => relay.sleep(),
    relayReset: () => relay.reset(),
    loseBrowser,
  };
  const bag = (Object.keys(acts) as (keyof Weights)[]).flatMap((act) => Array<keyof Weights>(weights[act]).fill(act));

  /** What another browser shows as delivered was acknowledged for good. */
  function watchAcknowledgements(): void {
    if (!ownAgents) return;
    for (const watcher of members) {
      for (const message of watcher.room?.messages.get() ?? []) {
        if (message.stage !== "delivered") continue;
        for (const { agents, browser } of members) {
          if (browser === watcher.browser) continue;
          for (const agent of agents.keys()) {
            if (message.to === agent) ledger.acknowledged(`${agent}/direct`, message.id);
          }
        }
      }
    }
  }

  if (alone) relay.crash();
  for (const member of members) member.open();
  for (let step = 0; step < steps; step++) {
    await simulation.advance(random.chance(0.1) ? random.between(0, 20_000) : random.between(0, world.paceMs));
    watchAcknowledgements();
    if (!alone && random.chance(0.3)) relay.start();
    const member = random.pick(members);
    if (member.isGone) member.open();
    else acts[random.pick(bag)](member);
  }

  // What a crash loses now, no later change of the same lane or text gives away.
  for (let last = random.between(0, 4); last > 0; last--) {
    const act = random.pick([edit, send]);
    act(random.pick(members));
    await simulation.advance(random.between(0, world.paceMs));
  }
  for (const member of members) if (random.chance(0.4)) member.crash();

  healing = true;
  const staying = members.filter(({ name }) => !plan.members.some((planned) => planned.retires && planned.name === name));
  for (const member of members) if (!staying.includes(member)) member.crash();
  if (!alone) relay.start();
  for (let waited = 0; waited < healMs; waited += 500) {
    for (const member of staying) {
      if (member.isGone) member.open();
      member.replica?.heal();
      member.room?.connect();
    }
    await simulation.advance(500);
    watchAcknowledgements();
    if (complaints().length === 0) break;
  }
  await simulation.advance(calmMs);

  function finals(): FlockOutcome["finals"] {
    return staying.map(({ name, room }) => ({
      name,
      state: JSON.stringify(room && Object.values(room.state).map((handle) => handle.get())),
      messages: room?.messages.get() ?? [],
      pending: alone ? 0 : (room?.status.get().pending ?? -1),
    }));
  }

  function complaints(): string[] {
    return complaintsOf({ plan, ledger, finals: finals() });
  }

  const failures = members.flatMap((member) => member.failures.map((failure) => `${member.name}: ${describe(failure)}`));
  const found = [...new Set([...failures, ...ledger.violations, ...complaints()])];
  if (found.length > 0) throw new Error(found.join("\n"));
  return { plan, ledger, finals: finals(), fingerprint: simulation.fingerprint, events: simulation.events };
}

function describe(failure: unknown): string {
  if (isFlockError(failure)) return `${failure.code}: ${failure.message}`;
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}

/** Everything that a healed flock must not show. */
export function complaintsOf({ plan, ledger, finals }: Pick<FlockOutcome, "plan" | "ledger" | "finals">): string[] {
  const complaints: string[] = [];
  const [first] = finals;
  if (!first) return complaints;
  for (const { name, state, messages, pending } of finals) {
    if (pending !== 0) complaints.push(`${name} has ${pending} writes pending`);
    if (state !== first.state) complaints.push(`the state differs:\n  ${first.name} ${first.state}\n  ${name} ${state}`);
    const ids = messages.map(({ id }) => id);
    if (new Set(ids).size !== ids.length) complaints.push(`${name} lists a message twice`);
    const firstIds = first.messages.map(({ id }) => id);
    if (ids.join() !== firstIds.join()) {
      const missing = firstIds.filter((id) => !ids.includes(id));
      const surplus = ids.filter((id) => !firstIds.includes(id));
      complaints.push(`${name} against ${first.name}: lacks ${missing.join(" ") || "nothing"}, has besides ${surplus.join(" ") || "nothing"}`);
    }
    for (const [index, message] of messages.entries()) {
      const other = first.messages[index];
      if (other?.id === message.id && JSON.stringify([other.content, other.reference]) !== JSON.stringify([message.content, message.reference])) {
        complaints.push(`${name} and ${first.name} have different contents of ${message.id}`);
      }
      for (const consumer of consumersOf(plan, message)) {
        if (message.stage !== "delivered") complaints.push(`${name} shows ${message.id} to ${consumer} as ${message.stage}`);
        if (!ledger.isCompleted(consumer, message.id)) complaints.push(`${consumer} never completed ${message.id}`);
      }
    }
    const present = new Set(ids.map((id) => `message ${id}`));
    const kept = JSON.parse(state ?? "[]")[3] as string[] | undefined;
    for (const value of kept ?? []) present.add(`kept ${value}`);
    for (const [what, stage] of ledger.promised()) {
      if (!present.has(what)) complaints.push(`${name} lacks ${what}, which was settled ${stage}`);
    }
  }
  return complaints;
}

/** The consumers that a message is for, as `agent/consumer`. */
function* consumersOf(plan: FlockPlan, message: ListedMessage): Iterable<string> {
  for (const [agent, consumers] of plan.consumers) {
    for (const { name, topic } of consumers) {
      const isFor = topic === undefined ? message.to === agent : message.topic === topic && message.from !== `anon.${agent}`;
      if (isFor) yield `${agent}/${name}`;
    }
  }
}
