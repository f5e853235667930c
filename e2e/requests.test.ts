import { expect } from "@playwright/test";
import type { Job } from "./harness/worker.ts";
import type { Client } from "./support/client.ts";
import { missing } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";
import { acquainted, attemptsAt, deliveries, expectState, letGo, work } from "./support/messages.ts";

/** What a request came to. */
interface Asked {
  readonly content?: unknown;
  /** Why it failed: its code, or the signal's reason. */
  readonly failure?: string;
  /** The attempts that its progress told of. */
  readonly progress: readonly unknown[];
}

/** Asks the critic as the planner; where `takeBack` until progress tells that it is handled. */
function ask(
  { page }: Client,
  job: Job,
  options: { timeoutMs?: number; takeBack?: boolean } = {},
): Promise<Asked> {
  return page.evaluate(
    async ({ job, options }) => {
      const { takeBack, ...rest } = options;
      const progress: unknown[] = [];
      const taking = new AbortController();
      const request = { to: "critic", type: "QUERY", content: { ...job } } as const;
      try {
        const { content } = await harness.agentNamed("planner").request(request as never, {
          ...rest,
          signal: taking.signal,
          onProgress({ data }) {
            progress.push(data);
            if (takeBack) taking.abort("taken back");
          },
        });
        return { content, progress };
      } catch (failure) {
        return { failure: (failure as { code?: string }).code ?? String(failure), progress };
      }
    },
    { job, options },
  );
}

/** The ids of what a page's critic was asked. */
const asked = async (critic: Client) => (await deliveries(critic)).map(({ id }) => id);

/** The replies to a request that a page lists. */
const repliesTo = ({ page }: Client, id: string) =>
  page.evaluate(
    (request) => harness.room.messages.get().filter(({ parent }) => parent === request).length,
    id,
  );

test("E2E-51: a request is answered by another browser, over a reload of whoever handles it, and after a cut", async ({
  cable,
  join,
}) => {
  const planner = await join({ agents: ["planner"], relay: cable.url });
  // Another page of the agent that asks, which has its own replies alone.
  const beside = await join({ agents: ["planner"] });
  const critic = await join();
  await work(critic, "critic");
  for (const asking of [planner, beside]) {
    expect(await ask(asking, {})).toEqual({ content: { attempt: 1 }, progress: [1] });
  }

  const answer = ask(planner, { steps: ["hold"] });
  await expect.poll(async () => (await deliveries(critic)).at(-1)?.ended).toBe(false);
  const id = (await asked(critic)).at(-1) ?? "";
  await critic.reload();
  await work(critic, "critic");
  expect(await answer).toEqual({ content: { attempt: 2 }, progress: [1, 2] });
  expect(await attemptsAt(critic, id)).toEqual([2]);

  // While it is cut off from the agent that asks, it may take the reply for one that nobody waits for.
  expect(await beside.problems()).toEqual([]);
  await cable.cut();
  await expect.poll(() => planner.network()).not.toBe("online");
  const later = ask(planner, {});
  await expect.poll(() => planner.pending()).toBeGreaterThan(0);
  await cable.heal();
  expect(await later).toEqual({ content: { attempt: 1 }, progress: [1] });
  for (const client of [planner, critic]) expect(await client.problems()).toEqual([]);
});

test("E2E-52: who takes a request back is heard where it is handled, and a reply that comes too late is told and kept", async ({
  join,
  newBrowser,
}) => {
  const browser = await newBrowser();
  const planner = await join({ browser, agents: ["planner"] });
  const critic = await join();
  await work(critic, "critic", { order: "none" });

  expect(await ask(planner, { steps: ["hold"] }, { takeBack: true })).toEqual({
    failure: "taken back",
    progress: [1],
  });
  await expect.poll(async () => (await deliveries(critic))[0]?.aborted).toBe("messaging/cancelled");
  expect(await ask(planner, { steps: ["hold"] }, { timeoutMs: 1_500 })).toMatchObject({
    failure: "messaging/expired",
  });
  await expect.poll(() => asked(critic)).toHaveLength(2);
  await letGo(critic);
  await expect.poll(() => planner.problems()).toEqual(["messaging/late-reply", "messaging/late-reply"]);

  const lost = ask(planner, { steps: ["hold"] }).catch(() => undefined);
  await expect.poll(() => asked(critic)).toHaveLength(3);
  await planner.page.close();
  await lost;
  await letGo(critic);
  await critic.synced();
  const back = await join({ browser, agents: ["planner"] });
  await expect.poll(() => back.problems()).toEqual(["messaging/late-reply"]);
  const requests = await asked(critic);
  for (const id of requests) expect(await repliesTo(back, id), `replies to ${id}`).toBe(1);
  await expectState(back, requests, "acknowledged");
  expect(await critic.problems()).toEqual([]);
});

test("E2E-53: a service is called by signals without a trace in any lane, within a page too, and over a cut or a reload by messages", async ({
  cable,
  join,
}) => {
  const caller = await join({ agents: ["planner"] });
  const server = await join({ agents: ["neighbour", "calculator"], relay: cable.url });
  const divide = ({ page }: Client, agent: string, of: number, by: unknown) =>
    page.evaluate(
      ([name, ...given]) => harness.calls.divide(harness.agentNamed(name), "calculator", ...given),
      [agent, of, by] as const,
    );
  const runs = () => server.page.evaluate(() => harness.calls.runs);
  await server.page.evaluate(() => harness.calls.serve(harness.agentNamed("calculator")));
  await acquainted([caller, server], ["calculator"], 1);

  expect(await divide(caller, "planner", 12, 4)).toEqual({ output: 3 });
  expect(await divide(server, "neighbour", 10, 4)).toEqual({ output: 2.5 });
  expect(await divide(caller, "planner", 1, 0)).toEqual({ failure: "messaging/request-failed" });
  expect(await divide(caller, "planner", 1, "none")).toEqual({ failure: "messaging/invalid-content" });
  expect(await runs()).toBe(3);
  const takenBack = await caller.page.evaluate(() =>
    harness.calls.takeBack(harness.agentNamed("planner"), "calculator"),
  );
  expect(takenBack).toEqual({ failure: "taken back" });
  await expect
    .poll(() => server.page.evaluate(() => [...harness.calls.aborted]))
    .toEqual(["messaging/cancelled"]);
  for (const client of [caller, server]) expect(await client.messageIds()).toEqual([]);

  await cable.cut();
  const answer = divide(caller, "planner", 9, 3);
  await expect.poll(() => caller.messageIds()).toHaveLength(1);
  await cable.heal();
  expect(await answer).toEqual({ output: 3 });
  expect(await runs()).toBe(5);
  await expect.poll(() => server.messageIds()).toHaveLength(2);
  expect(missing(await caller.messageIds(), await server.messageIds())).toEqual([]);

  // What was accepted by a page that is gone is called again at the next.
  const brooding = caller.page.evaluate(() =>
    harness.calls.brood(harness.agentNamed("planner"), "calculator"),
  );
  await expect.poll(runs).toBe(6);
  await server.reload();
  await server.page.evaluate(() => harness.calls.serve(harness.agentNamed("calculator"), { hasIdeas: true }));
  expect(await brooding).toEqual({ output: 7 });
  expect(await runs()).toBe(1);
  for (const client of [caller, server]) expect(await client.problems()).toEqual([]);
});
