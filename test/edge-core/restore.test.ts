import { expect, onTestFinished, test } from "vitest";
import { list, map, type Room, text } from "../../src/index.ts";
import { tokenScopes } from "../../src/protocol/index.ts";
import { createSimulation, type RelayGrant, type Simulation } from "../../src/testing/index.ts";
import { relayCode } from "../properties/flock.ts";
import { collect, inChunks } from "./administered-room.ts";

const state = { notes: text(), board: map<string>(), log: list<string>() };
const root: RelayGrant = { principal: "root", scopes: tokenScopes, tokenId: "root", issuedAt: 0 };

async function join(simulation: Simulation, name: string) {
  const replica = simulation.replica(name, { identity: { principal: name } });
  return { replica, room: await simulation.until(replica.open("lab", { state })) };
}

const shown = ({ state: { notes, board, log } }: Room<typeof state>) => ({
  notes: notes.get(),
  board: board.get(),
  log: [...log.get()].sort(),
});

test.each([1, 2, 3, 4, 5])(
  "ARCHIVE-8: restored from a backup, a room gets back from its replicas all that came after it (seed %i)",
  async (seed) => {
    const simulation = createSimulation({ seed, relay: relayCode });
    onTestFinished(() => simulation.close());
    const { relay } = simulation;
    const alice = await join(simulation, "alice");
    const bob = await join(simulation, "bob");
    const rooms = [alice.room, bob.room];
    const quiet = (...each: Room<typeof state>[]) =>
      simulation.untilTrue(() =>
        each.every((room) => {
          const { network, pending } = room.status.get();
          return network === "online" && pending === 0;
        }),
      );
    alice.room.state.notes.insert(0, "before the backup; ");
    bob.room.state.board.set("task", "begun");
    await quiet(...rooms);
    await simulation.untilTrue(() => bob.room.state.notes.get() !== "");
    const backup = await simulation.until(collect(relay.administer("lab").exportRoom(root, "lab")));

    alice.room.state.notes.insert(0, "after the backup; ");
    bob.room.state.board.set("task", "done");
    alice.room.state.log.insert(0, "alice's entry");
    await quiet(...rooms);
    bob.replica.partition();
    bob.room.state.log.insert(0, "bob's entry, offline");

    relay.reset();
    const { epoch } = await simulation.until(relay.administer("lab").importRoom(inChunks(backup), root));
    bob.replica.heal();
    await simulation.untilTrue(() => rooms.every((room) => room.state.log.get().length === 2));
    await quiet(...rooms);
    expect(relay.administer("lab").status()).toMatchObject({ condition: "open", epoch });
    const carol = await join(simulation, "carol");
    await simulation.untilTrue(() => carol.room.state.log.get().length === 2);
    for (const room of [...rooms, carol.room]) {
      expect(shown(room)).toEqual({
        notes: "after the backup; before the backup; ",
        board: { task: "done" },
        log: ["alice's entry", "bob's entry, offline"],
      });
    }
  },
);

test("ARCHIVE-8: control: without its replicas a room has what the backup held, and no more", async () => {
  const simulation = createSimulation({ seed: 6, relay: relayCode });
  onTestFinished(() => simulation.close());
  const { relay } = simulation;
  const alice = await join(simulation, "alice");
  alice.room.state.notes.insert(0, "before");
  await simulation.untilTrue(() => alice.room.status.get().pending === 0);
  const backup = await simulation.until(collect(relay.administer("lab").exportRoom(root, "lab")));
  alice.room.state.notes.insert(0, "after ");
  await simulation.untilTrue(() => alice.room.status.get().pending === 0);
  alice.replica.partition();
  relay.reset();
  await simulation.until(relay.administer("lab").importRoom(inChunks(backup), root));
  const carol = await join(simulation, "carol");
  await simulation.untilTrue(() => carol.room.state.notes.get() !== "");
  expect(carol.room.state.notes.get()).toBe("before");
});
