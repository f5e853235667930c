import { describe, expect, it } from "vitest";
import { defaultRetention, openDocuments, type Signal } from "../../src/crdt/index.ts";
import { createTokenSource } from "../../src/crdt/transports/token-source.ts";
import type { RoomSocket } from "../../src/edge/index.ts";
import {
  controlChannel,
  decodeControl,
  decodeFrame,
  encodeControl,
  encodeFrame,
  socketPath,
  tokenScopes,
} from "../../src/protocol/index.ts";
import { createSimulation, type SimulatedReplica, type Simulation } from "../../src/testing/index.ts";
import { sealGrant } from "../../src/testing/simulation/tokens.ts";
import { createLocalPages } from "../crdt/pages.ts";
import { isCaught } from "./faults.ts";
import { relayCode } from "./flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

/** Two tabs of one browser, and two browsers: four writers of three principals. */
const places = [
  { browser: "laptop", principal: "ann" },
  { browser: "laptop", principal: "ann" },
  { browser: "phone", principal: "ben" },
  { browser: "desk", principal: "cem" },
] as const;

interface Member {
  replica: SimulatedReplica;
  writer: string;
  documents: Awaited<ReturnType<typeof openDocuments>>;
  heard: Signal[];
}

async function openMember(
  simulation: Simulation,
  replica: SimulatedReplica,
  principal: string,
): Promise<Member> {
  const { persistence, openSocket, openTabChannel, random } = replica.platform;
  if (!openTabChannel || !persistence || !openSocket || !random)
    throw new RangeError("A simulated platform lacks a part.");
  const grant = { principal, scopes: tokenScopes, tokenId: replica.name, issuedAt: 0 };
  const documents = await openDocuments({
    room: "lab",
    principal,
    prefix: "lab/",
    persistence,
    clock: replica.clock,
    random,
    relay: {
      url: `${simulation.relay.url}${socketPath("lab")}`,
      openSocket,
      tokens: createTokenSource(() => sealGrant(grant)),
    },
    openTabChannel,
    pages: createLocalPages(),
    retention: defaultRetention,
  });
  const heard: Signal[] = [];
  documents.signals.received.on((signal) => heard.push(signal));
  const { writer } = await documents.openWriter("agent");
  documents.connect();
  return { replica, documents, heard, writer: writer.id };
}

interface Outcome {
  /** Signals that came while there were faults, and that were sent then. */
  heard: number;
  sent: number;
  complaints: string[];
}

/** Plays a while of signals under faults, then one from each to each when all is well. */
async function play(seed: number, relay = relayCode): Promise<Outcome> {
  const simulation = createSimulation({ seed, relay, latency: { networkMs: 40, diskMs: 3 } });
  const complaints: string[] = [];
  try {
    const { random } = simulation;
    const members = await simulation.until(
      Promise.all(
        places.map(({ browser, principal }, index) =>
          openMember(simulation, simulation.replica(`replica-${index}`, { browser }), principal),
        ),
      ),
    );
    await simulation.advance(3_000);
    const sent = new Map<number, Signal>();
    let number = 0;

    function say(from: Member, to: Member): boolean {
      const signal = { from: from.writer, to: to.writer, body: ++number };
      const isOnItsWay = from.documents.signals.send(signal);
      if (isOnItsWay) sent.set(number, signal);
      return isOnItsWay;
    }

    const faults: readonly ((replica: SimulatedReplica) => void)[] = [
      (replica) => replica.partition({ way: random.pick(["both", "up", "down"]) }),
      (replica) => replica.heal(),
      (replica) => replica.heal(),
      (replica) => replica.cut({ silent: random.chance(0.5) }),
      () => simulation.relay.sleep(),
      () => {
        simulation.relay.crash();
        simulation.relay.start();
      },
    ];
    for (let step = 0; step < 120; step++) {
      const [from, to] = [random.pick(members), random.pick(members)];
      if (random.chance(0.8)) say(from, to);
      else random.pick(faults)(from.replica);
      await simulation.advance(random.below(120));
    }
    const sentMeanwhile = sent.size;
    simulation.heal();
    await simulation.advance(120_000);

    for (const member of members) {
      const seen = new Set<unknown>();
      for (const { from, to, body } of member.heard) {
        const said = sent.get(body as number);
        if (said?.from !== from || said.to !== to || to !== member.writer) {
          complaints.push(`${member.writer} heard what nobody said: ${JSON.stringify({ from, to, body })}`);
        }
        if (seen.has(body)) complaints.push(`${member.writer} heard ${body} twice`);
        seen.add(body);
      }
    }
    const heard = members.reduce((sum, member) => sum + member.heard.length, 0);

    for (const from of members) {
      for (const to of members) {
        if (from === to) continue;
        const isOnItsWay = say(from, to);
        await simulation.advance(200);
        if (!isOnItsWay || to.heard.at(-1)?.body !== number) {
          complaints.push(`${from.writer} does not reach ${to.writer}`);
        }
      }
    }
    return { heard, sent: sentMeanwhile, complaints };
  } finally {
    await simulation.close();
  }
}

async function expectSound(seed: number, relay = relayCode): Promise<void> {
  const { complaints } = await play(seed, relay);
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
}

/** A relay that changes what it passes on of signals: how often, and whom it names. */
function tamperingRelay(alter: (from: number) => { times: number; from: number }): typeof relayCode {
  const made = new WeakMap<RoomSocket, RoomSocket>();

  function send(socket: RoomSocket, bytes: Uint8Array): void {
    const [part, ...others] = decodeFrame(bytes);
    const isControl = part?.channel === controlChannel && others.length === 0;
    const message = isControl ? decodeControl(part.payload) : undefined;
    if (message?.type !== "signalled") {
      socket.send(bytes);
      return;
    }
    const { times, from } = alter(message.from);
    const payload = encodeControl({ ...message, from });
    for (let sent = 0; sent < times; sent++) socket.send(encodeFrame([{ channel: controlChannel, payload }]));
  }

  function tampered(socket: RoomSocket): RoomSocket {
    const known = made.get(socket) ?? { ...socket, send: (bytes: Uint8Array) => send(socket, bytes) };
    made.set(socket, known);
    return known;
  }

  return {
    createStorage: relayCode.createStorage,
    createCore(ports) {
      const core = relayCode.createCore({ ...ports, sockets: [...ports.sockets].map(tampered) });
      return {
        ...core,
        accept: (socket, opening) => core.accept(tampered(socket), opening),
        receive: (socket, message) => core.receive(tampered(socket), message),
        drop: (socket) => core.drop(tampered(socket)),
      };
    },
  };
}

describe("signals in a simulated room of several principals", () => {
  forSeeds(
    "SIG-8 each is heard as it was said, once or never, and all of them when all is well",
    seedsFor(20),
    (seed) => expectSound(seed),
  );

  it("SIG-8 faults lose some and leave some", async () => {
    let [heard, sent] = [0, 0];
    for (const seed of [1, 2, 3]) {
      const outcome = await play(seed);
      heard += outcome.heard;
      sent += outcome.sent;
    }
    expect(heard).toBeGreaterThan(50);
    expect(heard).toBeLessThan(sent);
  });

  it("SIG-8 control: a relay that tampers with nothing is not complained of", async () => {
    const relay = tamperingRelay((from) => ({ times: 1, from }));
    expect(await isCaught(/./, 3, (seed) => expectSound(seed, relay))).toBe(false);
  });

  it("SIG-8 control: a relay that passes signals on twice is caught", async () => {
    const relay = tamperingRelay((from) => ({ times: 2, from }));
    expect(await isCaught(/twice/, 3, (seed) => expectSound(seed, relay))).toBe(true);
  });

  it("SIG-8 control: a relay that names another sender is caught, since nobody hears them", async () => {
    const relay = tamperingRelay((from) => ({ times: 1, from: from === 1 ? 2 : 1 }));
    expect(await isCaught(/does not reach/, 3, (seed) => expectSound(seed, relay))).toBe(true);
  });
});
