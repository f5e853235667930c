import { expect, it, onTestFinished } from "vitest";
import { list, text } from "../../src/index.ts";
import { createSimulation } from "../../src/testing/index.ts";
import { relayCode } from "../properties/flock.ts";

const state = { notes: text(), log: list<string>() };

it("UNDO-6: what is undone goes through the gates of relay and replicas, and all converge", async () => {
  const simulation = createSimulation({ seed: 4, relay: relayCode });
  onTestFinished(() => simulation.close());
  const [left, right] = [simulation.replica("left"), simulation.replica("right")];
  const here = await simulation.until(left.open("lab", { state }));
  const there = await simulation.until(right.open("lab", { state }));
  const [planner, mine] = [here.openUndo({ of: { agent: "planner" } }), here.openUndo()];
  for (let round = 0; round < 20; round++) {
    here.transact(
      () => {
        here.state.notes.insert(0, `planned ${round}. `);
        here.state.log.push(`planned ${round}`);
      },
      { agent: "planner" },
    );
    await simulation.advance(700);
    here.state.notes.insert(here.state.notes.get().length, ` mine ${round}`);
    there.state.notes.insert(0, `theirs ${round}. `);
    there.state.log.insert(0, `theirs ${round}`);
    await simulation.advance(700);
    if (round % 3 === 0) planner.undo();
    if (round % 4 === 0) mine.undo();
    if (round % 5 === 0) planner.redo();
  }
  while (planner.steps.get().undo > 0) planner.undo();
  const last = mine.undo();
  await simulation.until(last?.settled("relayed") ?? Promise.reject(new Error("There was nothing to undo.")));
  await simulation.advance(5_000);
  expect(there.state.notes.get()).toBe(here.state.notes.get());
  expect(there.state.log.get()).toEqual(here.state.log.get());
  expect(here.state.notes.get()).not.toContain("planned");
  expect(here.state.log.get()).toHaveLength(20);
  expect(here.state.notes.get()).toContain("theirs 19. ");
});
