import { expect } from "@playwright/test";
import { mintToken } from "../src/edge/tokens/mint-token.ts";
import type { TokenScope } from "../src/protocol/index.ts";
import { type Client, openClient } from "./support/client.ts";
import { expectConverged, expectHandledOnce } from "./support/expectations.ts";
import { test as base } from "./support/fixtures.ts";
import { startTestRelay, type TestRelay } from "./support/relay.ts";

const secret = "an end-to-end secret of more than 32 bytes";
const everyday: readonly TokenScope[] = [
  "read",
  "write:own",
  "write:shared",
  "presence",
  "refs:get",
  "refs:put",
];

/** Someone with a page, whose application has a backend that mints. */
interface Person {
  client: Client;
  /** How many tokens the page has asked for. */
  asked(): number;
}

interface Fixtures {
  /** Lets somebody in whose tokens hold for an hour. */
  enter(
    principal: string,
    options?: { agents?: readonly string[]; scopes?: readonly TokenScope[] },
  ): Promise<Person>;
  /** What an administrator asks of the room. */
  administer(action: string, body?: object): Promise<void>;
}

const test = base.extend<Fixtures, { guarded: TestRelay }>({
  guarded: [
    async ({ site }, use) => {
      const relay = await startTestRelay({
        variables: { FLOCKSTATE_TOKEN_SECRET: secret, FLOCKSTATE_ORIGINS: new URL(site.url).origin },
      });
      await use(relay);
      await relay.remove();
    },
    { scope: "worker" },
  ],
  enter: async ({ newPage, guarded, room }, use) => {
    await use(async (principal, { agents = [], scopes = everyday } = {}) => {
      let asked = 0;
      const page = await newPage();
      await page.exposeFunction("fetchToken", (subject: string) => {
        asked++;
        return mintToken({ secret, room, subject, scopes });
      });
      const client = await openClient(page, { room, relay: guarded.url, agents, principal });
      return { client, asked: () => asked };
    });
  },
  administer: async ({ guarded, room }, use) => {
    await use(async (action, body) => {
      const token = await mintToken({ secret, room, subject: "root", scopes: ["admin"] });
      const answer = await fetch(`${guarded.url}/v1/rooms/${room}/${action}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      expect(answer.ok, `${action}: ${answer.status} ${await answer.text()}`).toBe(true);
    });
  },
});

const status = ({ client }: Person) => client.page.evaluate(() => harness.room.status.get());
const notes = async ({ client }: Person) => (await client.report()).notes;
const write = ({ client }: Person, word: string) =>
  client.page.evaluate((text) => void harness.room.state.notes.insert(0, text), word);

test("E2E-19: principals with tokens share state, messages and references; a reader changes nothing", async ({
  enter,
}) => {
  const alice = await enter("alice", { agents: ["planner"] });
  const bob = await enter("bob|a subject that is no id", { agents: ["critic"] });
  const guest = await enter("guest", { scopes: ["read", "refs:get"] });
  const ids = [
    ...(await alice.client.send("planner", "critic", ["one", "two"])),
    (await bob.client.sendBytes("critic", "planner", { length: 200_000, seed: 3 })).id,
  ];
  await write(alice, "from alice ");
  await write(bob, "from bob ");
  await expectConverged([alice.client, bob.client, guest.client], ids);
  await expectHandledOnce([alice.client, bob.client], ids);
  await write(guest, "from the guest ");
  await expect.poll(() => guest.client.problems()).toEqual(["crdt/refused"]);
  await write(bob, "again ");
  await expect.poll(() => notes(alice)).toContain("again ");
  expect(await notes(alice)).not.toContain("guest");
  expect(await notes(guest)).toContain("from the guest ");
  expect([await alice.client.problems(), await bob.client.problems()]).toEqual([[], []]);
});

test("E2E-20: a revoked page comes back with another token, and a halted room sends what it kept at its release", async ({
  enter,
  administer,
}) => {
  const alice = await enter("alice");
  const bob = await enter("bob");
  await alice.client.synced();
  expect(alice.asked()).toBe(1);
  await administer("revocations", { kind: "principal", value: "alice" });
  await expect.poll(alice.asked).toBeGreaterThan(1);
  await write(alice, "back again ");
  await expect.poll(() => notes(bob)).toBe("back again ");
  await administer("halt");
  await expect.poll(async () => (await status(alice)).halted).toBe(true);
  await write(alice, "kept ");
  expect([(await status(alice)).pending, await notes(bob)]).toEqual([1, "back again "]);
  await administer("release");
  await expect.poll(() => notes(bob)).toBe("kept back again ");
  await alice.client.synced();
  expect([await alice.client.problems(), await bob.client.problems()]).toEqual([[], []]);
});
