import { createInMemoryStorage, createRoomCore, type SocketAttachment } from "../../src/edge/index.ts";
import { isFlockError, type Write } from "../../src/index.ts";
import { tokenScopes } from "../../src/protocol/index.ts";
import {
  createSimulatedRandom,
  createSimulation,
  type RelayCode,
  type SimulatedIdentity,
  type Simulation,
} from "../../src/testing/index.ts";
import {
  drawPlan,
  drawWorld,
  type PlannedMember,
  usualWeights,
  type Weights,
  type World,
} from "./flock-plan.ts";
import { createFlockLedger } from "./ledger.ts";
import { createMember, type Handling, type Member, type Tamper } from "./member.ts";
import { complaintsOf, type Final, type FlockOutcome } from "./outcome.ts";

/** The relay's real code. */
export const relayCode: RelayCode<ReturnType<typeof createInMemoryStorage>, SocketAttachment> = {
  createStorage: createInMemoryStorage,
  createCore: createRoomCore,
};

export interface FlockOptions {
  /** What differs from the weights of the world that the seed draws. */
  weights?: Partial<Weights>;
  /** How many things happen before the heal. Default 50. */
  steps?: number;
  /** No two replicas have agents of one name. Default false. */
  ownAgents?: boolean;
  /** The probability that a replica is a tab of a browser that is there already. Default: drawn. */
  sharing?: number;
  /** All replicas are tabs of one browser, and no relay is ever there. Default false. */
  alone?: boolean;
  /** Each browser is a principal of its own, with tokens; the first is an administrator. Default false: all are one. */
  principals?: boolean;
  relay?: typeof relayCode;
  tamper?: Tamper;
  handling?: Handling;
  trace?: (line: string) => void;
}

const healMs = 300_000;
const lookEveryMs = 500;
const calmMs = 3_000;

/**
 * Plays a run of a flock: everything that may happen happens, then everything heals.
 *
 * @throws Error with everything that the healed flock must not show, one complaint a line.
 */
export async function playFlock(seed: number, options: FlockOptions = {}): Promise<FlockOutcome> {
  const { relay = relayCode, alone = false, trace } = options;
  const world = drawWorld(createSimulatedRandom(`${seed}/world`));
  const simulation = createSimulation({
    seed,
    relay,
    latency: world.latency,
    // Without a relay nobody tells what a tab missed for good.
    tabChannels: { ...world.tabChannels, ...(alone && { drop: 0 }) },
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
  const { steps = 50, ownAgents = false, alone = false, principals = false } = options;
  const { tamper = ({ platform }) => platform, handling = (finish) => finish() } = options;
  const weights: Weights = {
    ...usualWeights,
    ...world.mood,
    ...options.weights,
    ...(alone && { relayCrash: 0, relayReset: 0, relaySleep: 0 }),
  };
  const sharing = alone ? 1 : (options.sharing ?? world.sharing);
  const plan = drawPlan(random.fork("plan"), { ownAgents, sharing });
  const ledger = createFlockLedger();
  let healing = false;
  const members = plan.members.map((planned) =>
    createMember({
      simulation,
      plan,
      planned,
      ledger,
      tamper,
      handling,
      identity: principals ? identityOf(planned) : undefined,
      mayFail: () => !healing,
    }),
  );
  const staying = members.filter((_, index) => !plan.members[index]?.retires);
  let counter = 0;
  let browsers = 0;

  function identityOf({ principal }: PlannedMember): SimulatedIdentity {
    const isAdministrator = principal === plan.members[0]?.principal;
    return { principal, tokenLifeMs: 60_000, ...(isAdministrator && { scopes: tokenScopes }) };
  }

  function keep(what: string, write: Write, { browser }: Member): void {
    for (const stage of ["local", "relayed"] as const) {
      write.settled(stage).then(
        () => ledger.promise(what, stage, browser),
        () => undefined,
      );
    }
  }

  function edit(member: Member): void {
    const { room } = member;
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
    const count = random.between(1, 2);
    room.transact(() => {
      for (let number = 0; number < count; number++) random.pick(edits)();
    });
  }

  function send(member: Member): void {
    const agents = [...member.agents.values()];
    if (agents.length === 0) return;
    const agent = random.pick(agents);
    const to = random.chance(0.2) ? { topic: plan.topic } : { to: random.pick([...plan.consumers.keys()]) };
    const count = random.chance(0.3) ? random.between(2, 5) : 1;
    for (let index = 0; index < count; index++) {
      // Bytes that die with their browser before they are uploaded hold up the lane for good.
      const isLarge = weights.loseBrowser === 0 && random.chance(0.05);
      const content = { number: counter++, filling: "x".repeat(isLarge ? 12_000 : 10) };
      agent.send({ ...to, type: random.pick(["QUERY", "STATUS"]), content }).then(
        (sent) => keep(`message ${sent.id}`, sent, member),
        () => undefined,
      );
    }
  }

  function loseBrowser({ browser: lost }: Member): void {
    const fresh = `browser-new-${browsers++}`;
    for (const member of members) {
      if (member.browser !== lost) continue;
      member.crash();
      member.browser = fresh;
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
  const names = Object.keys(acts) as (keyof Weights)[];
  const bag = names.flatMap((name) => Array<keyof Weights>(weights[name]).fill(name));

  /** What another browser shows as delivered was acknowledged for good. */
  function watchAcknowledgements(): void {
    if (!ownAgents) return;
    for (const watcher of members) {
      for (const { id, to, stage } of watcher.room?.messages.get() ?? []) {
        if (to === undefined || stage !== "delivered") continue;
        const isForeign = members.some(
          ({ agents, browser }) => agents.has(to) && browser !== watcher.browser,
        );
        if (isForeign) ledger.acknowledged(`${to}/direct`, id);
      }
    }
  }

  async function live(): Promise<void> {
    if (alone) relay.crash();
    for (const member of members) member.open();
    for (let step = 0; step < steps; step++) {
      const isLull = random.chance(0.1);
      await simulation.advance(isLull ? random.between(0, 20_000) : random.between(0, world.paceMs));
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
    // What its own author's device lost after all others had it, only an administrator who had it can bring back.
    if (principals) await simulation.advance(1_000);
    for (const member of members) {
      if (random.chance(0.4) || !staying.includes(member)) member.crash();
    }
  }

  async function heal(): Promise<void> {
    healing = true;
    if (!alone) relay.start();
    for (let waitedMs = 0; waitedMs < healMs; waitedMs += lookEveryMs) {
      for (const member of staying) {
        if (member.isGone) member.open();
        member.replica?.heal();
        member.room?.connect();
      }
      await simulation.advance(lookEveryMs);
      watchAcknowledgements();
      if (complaintsOf({ plan, ledger, finals: finals() }).length === 0) break;
    }
    await simulation.advance(calmMs);
  }

  function finals(): Final[] {
    return staying.map(({ name, room }) => {
      const values = Object.entries(room?.state ?? {}).map(([part, handle]) => [part, handle.get()]);
      return {
        name,
        state: JSON.stringify(values),
        kept: room?.state.kept.get() ?? [],
        messages: room?.messages.get() ?? [],
        pending: alone ? 0 : (room?.status.get().pending ?? -1),
      };
    });
  }

  await live();
  await heal();
  const outcome = { plan, ledger, finals: finals() };
  const failures = members.flatMap(({ name, failures }) =>
    failures.map((each) => `${name}: ${describe(each)}`),
  );
  const found = [...new Set([...failures, ...complaintsOf(outcome)])];
  if (found.length > 0) throw new Error(found.join("\n"));
  return { ...outcome, fingerprint: simulation.fingerprint, events: simulation.events };
}

function describe(failure: unknown): string {
  if (isFlockError(failure)) return `${failure.code}: ${failure.message}`;
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
}
