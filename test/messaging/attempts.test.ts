import { describe, expect, it } from "vitest";
import type { HandlerContext } from "../../src/messaging/index.ts";
import { createWorld, settle } from "./world.ts";

const critic = "anon.critic.AAAAAAAAAAA";
const planner = "anon.planner.CCCCCCCCCCC";

const said = (content: unknown, more: object = {}) => ({ to: "critic", content, ...more });
const never = () => new Promise(() => undefined);

/** A page that dies of one message, opened again and again; it gives what each page's handler was called with. */
async function dieOf(
  poison: unknown,
  { contents, order }: { contents: readonly unknown[]; order?: "lane" | "none" },
) {
  const world = createWorld();
  for (const content of contents) world.arrive(planner, said(content));
  const sessions: string[][] = [];
  for (let times = 0; times < 40 && world.letters().length === 0; times++) {
    let isDead = false;
    const consumer = world.consume(critic, {
      order,
      maxDeliver: 4,
      handle({ content }: { content: unknown }) {
        if (content !== poison) return undefined;
        isDead = true;
        return never();
      },
    });
    await settle();
    sessions.push(consumer.handled);
    if (isDead) world.kill(critic, consumer);
    else await settle();
  }
  return { world, sessions };
}

describe("attempts", () => {
  it("MSG-60: go on after a reload, wherever the handler was", async () => {
    const world = createWorld();
    world.arrive(planner, said(1));
    for (const attempt of [1, 2, 3]) {
      const consumer = world.consume(critic, { handle: never });
      await settle();
      expect(consumer.handled).toEqual([`1 ${attempt}`]);
      consumer.stop();
    }
  });

  it("MSG-60: go on in another writer of the agent", async () => {
    const world = createWorld();
    world.arrive(planner, said(1));
    const consumer = world.consume(critic, { handle: never });
    await settle();
    consumer.stop();
    const other = world.consume("anon.critic.BBBBBBBBBBB");
    await settle();
    expect(other.handled).toEqual(["1 2"]);
  });

  it("MSG-61: the first delivery of a lane and every redelivery is stored before its handler runs", async () => {
    const world = createWorld();
    const stored: number[] = [];
    world.consume(critic, {
      handle(_, context: HandlerContext) {
        stored.push(world.flushes);
        if (stored.length === 2) context.nak();
      },
    });
    for (const content of [1, 2, 3]) world.arrive(planner, said(content));
    await settle();
    while (world.clock.runNext()) await settle();
    // The second one's first delivery is not, its second one is, and what comes then is not.
    expect(stored).toEqual([1, 1, 2, 2]);
  });

  it("MSG-61: a handler that is done in the same turn leaves no attempt in the register", async () => {
    const world = createWorld();
    const consumer = world.consume(critic, { handle: async () => undefined });
    const seen = new Set<number>();
    world.documents.registerChanged.on(() => {
      seen.add(Object.keys(consumer.position(planner)?.tries ?? {}).length);
    });
    world.arriveAll(
      planner,
      Array.from({ length: 50 }, (_, content) => said(content)),
    );
    await settle();
    expect(consumer.handled).toHaveLength(50);
    expect(consumer.position(planner)).toEqual({ below: 0, pages: { "0-7": 50 } });
    // One, before the first was handled; then none.
    expect(seen).toEqual(new Set([1, 0]));
  });

  it("MSG-62: a message that its page dies of is given up after maxDeliver + 1 pages, and those before it are not", async () => {
    for (const at of [0, 1, 5]) {
      const contents = [0, 1, 2, 3, 4, 5, 6].map((content) => (content === at ? "poison" : content));
      const { world, sessions } = await dieOf("poison", { contents });
      const [letter] = world.letters();
      expect(letter).toMatchObject({ messages: [`${planner}/0-7/${at}`], outcome: "exhausted", attempts: 4 });
      expect(world.letters()).toHaveLength(1);
      const pages = sessions.filter((handled) => handled.some((each) => each.startsWith('"poison"')));
      expect(pages.length).toBeLessThanOrEqual(5);
      // Every other is handled, and told of no more than two attempts.
      const others = sessions.flat().filter((each) => !each.startsWith('"poison"'));
      expect(new Set(others.map((each) => each[0]))).toEqual(
        new Set(["0", "1", "2", "3", "4", "5", "6"].filter((each) => each !== `${at}`)),
      );
      expect(others.every((each) => Number(each.split(" ")[1]) <= 2)).toBe(true);
    }
  });

  it("MSG-62: without an order too", async () => {
    const { world, sessions } = await dieOf("poison", { contents: [0, 1, "poison", 3], order: "none" });
    expect(world.letters()).toMatchObject([{ messages: [`${planner}/0-7/2`], attempts: 4 }]);
    expect(sessions.length).toBeLessThanOrEqual(6);
  });

  it("MSG-62: nor are messages of other senders, be they handled slowly, and be there only two deliveries", async () => {
    const others = ["C", "D", "E"].map((letter) => `anon.planner.${letter.repeat(11)}`);
    for (const order of ["lane", "none"] as const) {
      for (const [maxDeliver, takesMs] of [
        [2, 0],
        [4, 0],
        [4, 5_000],
      ] as const) {
        const world = createWorld();
        for (const lane of others) world.arrive(lane, said("harmless"));
        world.arrive("anon.planner.FFFFFFFFFFF", said("poison"));
        const done = new Set<string>();
        for (
          let times = 0;
          times < 10 && (world.letters().length === 0 || done.size < others.length);
          times++
        ) {
          let isDead = false;
          const consumer = world.consume(critic, {
            order,
            maxDeliver,
            async handle({ content, writer }: { content: unknown; writer: string }) {
              if (content === "poison") {
                isDead = true;
                return never();
              }
              if (takesMs > 0) await new Promise<void>((resolve) => world.clock.after(takesMs, resolve));
              if (!isDead) done.add(writer);
              return undefined;
            },
          });
          await settle();
          while (!isDead && world.clock.runNext()) await settle();
          world.kill(critic, consumer);
        }
        const letters = world.letters().map(({ messages }) => messages);
        expect(letters, `${order}, ${maxDeliver}, ${takesMs}`).toEqual([["anon.planner.FFFFFFFFFFF/0-7/0"]]);
        expect([...done].sort()).toEqual(others);
      }
    }
  });
});
