import { describe, expect, it, onTestFinished } from "vitest";
import { type FlockError, list, map, openRoom, type Room, text } from "../../src/index.ts";
import { tokenScopes } from "../../src/protocol/index.ts";
import {
  createSimulation,
  type RelayGrant,
  type SimulatedIdentity,
  type Simulation,
} from "../../src/testing/index.ts";
import { relayCode } from "./flock.ts";

const state = { notes: text(), board: map<string>(), log: list<string>() };
type Lab = Room<typeof state>;

const root: RelayGrant = { principal: "root", scopes: tokenScopes, tokenId: "root", issuedAt: 0 };

function simulate(seed: number): Simulation {
  const simulation = createSimulation({ seed, relay: relayCode });
  onTestFinished(() => simulation.close());
  return simulation;
}

/** Opens a replica whose tokens speak for its name. */
async function join(simulation: Simulation, name: string, identity: Partial<SimulatedIdentity> = {}) {
  const replica = simulation.replica(name, { identity: { principal: name, ...identity } });
  const room = await simulation.until(replica.open("lab", { state }));
  const problems: FlockError[] = [];
  room.onProblem((problem) => problems.push(problem));
  return { replica, room, problems };
}

const shown = (room: Lab) => [room.state.notes.get(), room.state.board.get(), room.state.log.get()];
const codes = (problems: readonly FlockError[]) =>
  problems.map(({ code, details }) => [code, details["code"]]);
const settled = (...rooms: Lab[]) =>
  rooms.every((room) => room.status.get().network === "online" && room.status.get().pending === 0);

describe("rooms with tokens", () => {
  it("ROOM-17 principals write their own lanes and share a document; what one device keeps for each is apart", async () => {
    const simulation = simulate(1);
    const alice = await join(simulation, "alice");
    const bob = await join(simulation, "bob");
    alice.room.state.notes.insert(0, "from alice");
    const planner = await simulation.until(alice.room.agent("planner"));
    const critic = await simulation.until(bob.room.agent("critic"));
    const heard: unknown[] = [];
    critic.onMessage({}, ({ content, from }) => heard.push([from, content]));
    const sent = await simulation.until(planner.send({ to: "bob.critic", type: "QUERY", content: "well?" }));
    await simulation.until(sent.settled("delivered"));
    await simulation.untilTrue(() => bob.room.state.notes.get() === "from alice");
    expect(heard).toEqual([["alice.planner", "well?"]]);
    expect(bob.room.agents.get().map(({ name, principal }) => `${principal}.${name}`)).toEqual([
      "bob.critic",
      "alice.planner",
    ]);
    // The same browser, another principal: nothing of bob's is here before the network tells.
    const guest = simulation.replica("guest", { browser: "bob", identity: { principal: "guest" } });
    guest.partition();
    const room = await simulation.until(guest.open("lab", { state }));
    expect([room.state.notes.get(), room.messages.get()]).toEqual(["", []]);
  });

  it("ROOM-17 a principal that is no id is one all the same", async () => {
    const simulation = simulate(2);
    const subject = "google-oauth2|4711 (Zoë)";
    const replica = simulation.replica("zoe");
    const room = await simulation.until(
      replica.open("lab", { state, principal: subject, token: () => "never asked here" }),
    );
    const agent = await simulation.until(room.agent("planner"));
    expect(agent.writer.split(".")[0]).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  it("ROOM-17 a token without a principal is no option", async () => {
    for (const principal of [undefined, ""]) {
      await expect(
        openRoom("lab", { token: () => "token", ...(principal !== undefined && { principal }) }),
      ).rejects.toMatchObject({ code: "room/invalid-options" });
    }
  });

  it("ROOM-18 short tokens are renewed on the open socket; it is never cut", async () => {
    const simulation = simulate(3);
    const alice = await join(simulation, "alice", { tokenLifeMs: 20_000 });
    const heard: string[] = [];
    await simulation.untilTrue(() => settled(alice.room));
    alice.room.status.subscribe(({ network }) => heard.push(network));
    await simulation.advance(10 * 60_000);
    expect([heard, alice.problems]).toEqual([[], []]);
  });

  it("ROOM-18 whoever was revoked comes back with another token; what was written meanwhile is sent", async () => {
    const simulation = simulate(4);
    const alice = await join(simulation, "alice");
    const bob = await join(simulation, "bob");
    await simulation.untilTrue(() => settled(alice.room, bob.room));
    simulation.relay.administer("lab").revoke(root, { kind: "principal", value: "alice" });
    const write = alice.room.state.notes.insert(0, "still here");
    await simulation.until(write.settled("relayed"));
    await simulation.untilTrue(() => bob.room.state.notes.get() === "still here");
    expect([alice.problems, bob.problems]).toEqual([[], []]);
  });

  it("ROOM-18 a provider that has only the revoked token ends it with the reason; writes stay pending, not failed", async () => {
    const simulation = simulate(5);
    const replica = simulation.replica("alice");
    const { token } = await captureToken(simulation);
    const room = await simulation.until(
      replica.open("lab", { state, principal: "alice", token: () => token }),
    );
    const problems: FlockError[] = [];
    room.onProblem((problem) => problems.push(problem));
    await simulation.untilTrue(() => settled(room));
    simulation.relay.administer("lab").revoke(root, { kind: "principal", value: "alice" });
    let outcome = "pending";
    void room.state.notes
      .insert(0, "kept")
      .settled("relayed")
      .then(
        () => (outcome = "relayed"),
        () => (outcome = "failed"),
      );
    await simulation.advance(60_000);
    expect([codes(problems), outcome, room.status.get().pending, room.status.get().network]).toEqual([
      [["room/token-failed", "edge/token-revoked"]],
      "pending",
      1,
      "offline",
    ]);
  });

  it("ROOM-19 a halted room says so; what is written waits here and reaches everybody at the release", async () => {
    const simulation = simulate(6);
    const alice = await join(simulation, "alice");
    const bob = await join(simulation, "bob");
    const speaker = await simulation.until(alice.room.agent("speaker"));
    await simulation.untilTrue(() => settled(alice.room, bob.room));
    alice.room.state.notes.insert(0, "on its way ");
    simulation.relay.administer("lab").halt(root);
    await simulation.untilTrue(() => alice.room.status.get().halted && bob.room.status.get().halted);
    alice.room.state.board.set("k", "waits");
    bob.room.state.log.push("waits too");
    await simulation.until(speaker.send({ topic: "news", type: "STATUS", content: "waits as well" }));
    // One of them comes back into the halted room.
    bob.replica.cut();
    await simulation.advance(20_000);
    expect([alice.room.state.log.get(), bob.room.state.board.get(), bob.room.messages.get()]).toEqual([
      [],
      {},
      [],
    ]);
    expect([alice.room.status.get().halted, bob.room.status.get().halted]).toEqual([true, true]);
    simulation.relay.administer("lab").release(root);
    await simulation.untilTrue(() => settled(alice.room, bob.room));
    await simulation.advance(2_000);
    expect(shown(alice.room)).toEqual(shown(bob.room));
    expect([alice.room.state.board.get(), bob.room.messages.get().length]).toEqual([{ k: "waits" }, 1]);
    expect([alice.room.status.get().halted, alice.problems, bob.problems]).toEqual([false, [], []]);
  });

  it("ROOM-20 a reader sees everything; what it writes stays with it and is told once", async () => {
    const simulation = simulate(7);
    const alice = await join(simulation, "alice");
    const reader = await join(simulation, "reader", { scopes: ["read"] });
    alice.room.state.notes.insert(0, "read me");
    await simulation.untilTrue(() => reader.room.state.notes.get() === "read me");
    expect([codes(reader.problems), reader.room.status.get().pending]).toEqual([[], 0]);
    reader.room.awareness.setLocalState({ name: "reader" });
    const failed = expect(
      reader.room.state.notes.insert(0, "mine ").settled("relayed"),
    ).rejects.toMatchObject({ code: "crdt/refused", details: { code: "edge/forbidden" } });
    await simulation.untilTrue(() => reader.problems.length > 0);
    await failed;
    for (const word of ["more ", "and more "]) reader.room.state.notes.insert(0, word);
    reader.replica.cut();
    await simulation.advance(20_000);
    alice.room.state.notes.insert(0, "again: ");
    await simulation.untilTrue(() => reader.room.state.notes.get().includes("again: "));
    expect(codes(reader.problems)).toEqual([["crdt/refused", "edge/forbidden"]]);
    expect(alice.room.state.notes.get()).toBe("again: read me");
    expect([alice.room.awareness.getStates().size, reader.room.status.get().pending]).toEqual([1, 3]);
  });

  it("ROOM-20 an agent without write:own speaks to this device alone, and that is told once", async () => {
    const simulation = simulate(8);
    const alice = await join(simulation, "alice");
    const mute = await join(simulation, "mute", { scopes: ["read", "write:shared", "presence"] });
    await simulation.untilTrue(() => settled(alice.room, mute.room));
    const agent = await simulation.until(mute.room.agent("speaker"));
    for (const content of ["one", "two"])
      await simulation.until(agent.send({ topic: "news", type: "STATUS", content }));
    await simulation.advance(20_000);
    expect(codes(mute.problems)).toEqual([["crdt/refused", "edge/forbidden"]]);
    expect([mute.room.messages.get().length, alice.room.messages.get().length]).toEqual([2, 0]);
    await simulation.until(mute.room.state.notes.insert(0, "shared").settled("relayed"));
  });

  it("ROOM-21 a token of another principal ends the connection, and nothing went out", async () => {
    const simulation = simulate(9);
    const { token } = await captureToken(simulation);
    const replica = simulation.replica("bob");
    const room = await simulation.until(replica.open("lab", { state, principal: "bob", token: () => token }));
    const problems: FlockError[] = [];
    room.onProblem((problem) => problems.push(problem));
    room.state.notes.insert(0, "bob's");
    await simulation.advance(20_000);
    expect([codes(problems), room.status.get().network]).toEqual([
      [["room/wrong-principal", undefined]],
      "offline",
    ]);
    const alice = await join(simulation, "alice");
    await simulation.untilTrue(() => settled(alice.room));
    expect(alice.room.state.notes.get()).toBe("");
  });
});

/** A token of alice's, as a provider that never fetches another would give. */
async function captureToken(simulation: Simulation): Promise<{ token: string }> {
  const captured: string[] = [];
  const replica = simulation.replica("capture", { identity: { principal: "alice" } });
  const { openSocket } = replica.platform;
  const room = await simulation.until(
    replica.open("elsewhere", {
      platform: {
        ...replica.platform,
        openSocket(url, protocols, events) {
          captured.push((protocols[1] ?? "").slice("bearer.".length));
          if (!openSocket) throw new RangeError("The replica has no socket.");
          return openSocket(url, protocols, events);
        },
      },
    }),
  );
  await simulation.untilTrue(() => captured.length > 0);
  await simulation.until(room.close());
  return { token: captured[0] as string };
}

describe("a relay whose storage is another one", () => {
  it("PROP-8 restored from an archive, it gets from everybody what came after, offline edits included", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const simulation = createSimulation({ seed, relay: relayCode });
      try {
        const alice = await join(simulation, "alice", { scopes: tokenScopes });
        const bob = await join(simulation, "bob");
        const carol = await join(simulation, "carol");
        const rooms = [alice.room, bob.room, carol.room];
        const write = (room: Lab, word: string): void => {
          room.state.notes.insert(Math.min(2, room.state.notes.get().length), word);
          room.state.board.set(word, word);
          room.state.log.push(word);
          if (room.state.log.get().length > 3) room.state.log.delete(1);
        };
        for (const [index, room] of rooms.entries()) write(room, `a${index}`);
        await simulation.untilTrue(() => settled(...rooms));
        const archive: Uint8Array[] = [];
        const read = async (): Promise<void> => {
          for await (const chunk of simulation.relay.administer("lab").exportRoom(root, "lab"))
            archive.push(chunk);
        };
        await simulation.until(read());
        for (const [index, room] of rooms.entries()) write(room, `b${index}`);
        await simulation.advance(1_000 * (seed % 3));
        bob.replica.partition();
        write(bob.room, "offline");
        await simulation.advance(1_000);
        for (const room of rooms) write(room, "after");
        simulation.relay.reset();
        const restored = simulation.relay.administer("lab").importRoom(chunks(archive), root);
        await simulation.until(restored);
        await simulation.advance(10_000);
        for (const room of rooms) write(room, "in the new epoch");
        await simulation.advance(1_000);
        bob.replica.heal();
        await simulation.untilTrue(() => settled(...rooms));
        await simulation.advance(3_000);
        expect([alice.problems, bob.problems, carol.problems], `seed ${seed}`).toEqual([[], [], []]);
        for (const room of rooms) expect(shown(room), `seed ${seed}`).toEqual(shown(alice.room));
        expect(alice.room.state.board.get(), `seed ${seed}`).toMatchObject({ offline: "offline", b1: "b1" });
      } finally {
        await simulation.close();
      }
    }
  });

  it("PROP-8 after a loss, what rests on one who is away waits for him or for an administrator, and goes round nowhere", async () => {
    for (const helper of ["bob", "root"]) {
      const simulation = createSimulation({ seed: helper, relay: relayCode });
      try {
        const alice = await join(simulation, "alice");
        const bob = await join(simulation, "bob");
        const administrator = await join(simulation, "root", { scopes: tokenScopes });
        await simulation.until(bob.room.state.notes.insert(0, "bob's ").settled("relayed"));
        await simulation.untilTrue(() => alice.room.state.notes.get() === "bob's ");
        await simulation.untilTrue(() => administrator.room.state.notes.get() === "bob's ");
        alice.room.state.notes.insert(6, "and alice's");
        await simulation.untilTrue(() => settled(alice.room, bob.room, administrator.room));
        bob.replica.partition();
        administrator.replica.partition();
        simulation.relay.reset();
        const late = await join(simulation, "late");
        alice.room.state.board.set("k", "rests on the text, being of the same Yjs client");
        await simulation.advance(10_000);
        const { events } = simulation;
        await simulation.advance(60_000);
        expect(simulation.events - events).toBeLessThan(300);
        expect([late.room.state.notes.get(), alice.room.status.get().pending > 0]).toEqual(["", true]);
        (helper === "bob" ? bob : administrator).replica.heal();
        await simulation.untilTrue(() => settled(alice.room));
        await simulation.untilTrue(() => late.room.state.notes.get() === "bob's and alice's");
        (helper === "bob" ? administrator : bob).replica.heal();
        bob.room.state.notes.insert(0, "later: ");
        await simulation.untilTrue(() => late.room.state.notes.get() === "later: bob's and alice's");
        expect([alice.problems, bob.problems, administrator.problems]).toEqual([[], [], []]);
      } finally {
        await simulation.close();
      }
    }
  });
});

async function* chunks(parts: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}
