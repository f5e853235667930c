import { setTimeout as idle } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { createRandom } from "../../protocol/gate/random.ts";
import { createDirectories } from "../directories.ts";
import { describeDrivers } from "../drivers.ts";
import { bundleChild, type Child, startChild } from "./child-process.ts";
import { createWitness } from "./witness.ts";

const kills = Number(process.env["FLOCKSTATE_NODE_KILLS"] ?? 10);
const seed = Number(process.env["FLOCKSTATE_SEED"] ?? 1);
const secondMs = 1_000;
/** From its first word on, or from its start. */
const maxMomentMs = 120;
const room = "kills";
const newDirectory = createDirectories();
let program: string;

beforeAll(async () => {
  program = await bundleChild(newDirectory());
}, 60 * secondMs);

/** Lets it live for a while, most often after it has begun to write. */
async function killSomewhen(child: Child, below: (max: number) => number): Promise<void> {
  if (below(5) > 0) await child.until((said) => "message" in said);
  await idle(below(maxMomentMs));
  await child.kill();
}

describeDrivers("a process that is killed", (Sqlite, driver) => {
  test(`NODE-5: ${kills} times at random: what was local is there, the writer goes on, locks are free (seed ${seed})`, {
    timeout: (60 + kills * 3) * secondMs,
  }, async () => {
    const random = createRandom(seed);
    const directory = newDirectory();
    const witness = createWitness({ Sqlite, directory, room });
    for (let life = 0; life < kills; life++) {
      const child = startChild(program, { driver, directory, room, life: String(life) });
      await killSomewhen(child, (max) => random.below(max));
      expect(await witness.examine(child.said), `after kill ${life}`).toEqual([]);
    }
    expect(witness.kept).toBeGreaterThan(kills);
  });

  test("NODE-6: two processes write in one room as two writers, one is killed, and nothing of either is lost", {
    timeout: 60 * secondMs,
  }, async () => {
    const directory = newDirectory();
    const [doomed, survivor] = ["a", "b"].map((life) =>
      startChild(program, { driver, directory, room, life, ...(life === "b" && { writes: 400 }) }),
    ) as [Child, Child];
    await Promise.all([doomed, survivor].map((child) => child.until((said) => "message" in said)));
    await doomed.kill();
    expect(await survivor.ended).toBe(0);
    const writers = [doomed, survivor].flatMap(({ said }) =>
      said.flatMap((each) => ("writer" in each ? [each.writer] : [])),
    );
    expect(new Set(writers).size).toBe(2);
    const witness = createWitness({ Sqlite, directory, room });
    // Which of the two goes on is for the first to be found free.
    const said = [...doomed.said, ...survivor.said].filter((each) => !("writer" in each));
    expect(await witness.examine(said)).toEqual([]);
    expect(said.some((each) => "message" in each && each.content.startsWith("a-"))).toBe(true);
    expect(said.some((each) => "message" in each && each.content === "b-399")).toBe(true);
  });

  test("NODE-5 control: a process that promises before it has written is convicted", {
    timeout: 60 * secondMs,
  }, async () => {
    const directory = newDirectory();
    const witness = createWitness({ Sqlite, directory, room });
    const broken: string[] = [];
    for (let life = 0; life < 5 && broken.length === 0; life++) {
      const child = startChild(program, { driver, directory, room, life: String(life), lie: true });
      await child.until((said) => "message" in said);
      await child.kill();
      broken.push(...(await witness.examine(child.said)));
    }
    expect(broken.join("\n")).toMatch(/was local and is lost/);
  });

  test("NODE-5 control: a machine that frees no lock is convicted", { timeout: 60 * secondMs }, async () => {
    const directory = newDirectory();
    const child = startChild(program, { driver, directory, room, life: "0" });
    await child.until((said) => "message" in said);
    await child.kill();
    const through = createWitness({
      Sqlite,
      directory,
      room,
      through: (persistence) => ({ ...persistence, tryLock: async () => undefined }),
    });
    expect((await through.examine(child.said)).join("\n")).toMatch(/the writer .* became/);
  });
});
