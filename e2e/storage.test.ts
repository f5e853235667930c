import { expect } from "@playwright/test";
import type { StorageFailure } from "flockstate";
import type { Client } from "./support/client.ts";
import { expectConverged, expectHandledOnce } from "./support/expectations.ts";
import { test } from "./support/fixtures.ts";

/** The ways in which browsers withhold storage. */
const refusals: Record<string, () => void> = {
  "IndexedDB is absent": () => {
    Object.defineProperty(globalThis, "indexedDB", { value: undefined });
  },
  "reading indexedDB throws": () => {
    Object.defineProperty(globalThis, "indexedDB", {
      get() {
        throw new DOMException("The operation is insecure.", "SecurityError");
      },
    });
  },
  "opening a database throws": () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
  },
  "the first write fails": () => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("No room for anything.", "QuotaExceededError");
    };
  },
  "opening a database fails": () => {
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = function () {
      // A request of another database whose success nobody hears of: what is heard is the failure.
      const request = open.call(this, "refused");
      request.addEventListener("success", (event) => {
        event.stopImmediatePropagation();
        request.result.close();
        Object.defineProperty(request, "error", {
          value: new DOMException("A mutation operation was attempted.", "InvalidStateError"),
        });
        request.dispatchEvent(new Event("error"));
      });
      return request;
    };
  },
};

for (const [title, refuse] of Object.entries(refusals)) {
  test(`E2E-12: where ${title}, the room works in memory and says so`, async ({ join, newBrowser }) => {
    const browser = await newBrowser();
    await browser.addInitScript(refuse);
    const without = await join({ browser, agents: ["planner"] });
    const other = await join({ agents: ["critic"] });
    expect(await without.page.evaluate(() => harness.room.status.get().storage)).toBe("memory-only");
    expect(await other.page.evaluate(() => harness.room.status.get().storage)).toBe("ready");

    const messages = [
      ...(await without.send("planner", "critic", ["one", "two"])),
      ...(await other.send("critic", "planner", ["three"])),
    ];
    await without.page.evaluate(() => harness.room.state.notes.insert(0, "here").settled("relayed"));
    const id = await without.page.evaluate(
      async () => (await harness.room.refs.put(harness.bytes(20_000, 5))).id,
    );
    await expectConverged([without, other], messages);
    await expectHandledOnce([without, other], messages);
    await without.synced();
    expect(
      await other.page.evaluate(async (wanted) => (await harness.room.refs.get(wanted)).length, id),
    ).toBe(20_000);

    // Nothing lasts, and the relay brings back what it has.
    await without.reload();
    await expectConverged([without, other], messages);
    expect(await without.problems()).toEqual([]);
  });
}

const mebibyte = 1_048_576;

function storageOf({ page }: Client): Promise<string> {
  return page.evaluate(() => harness.room.status.get().storage);
}

/** The reasons of the failures that the page was told from now on. */
async function watchFailures({ page }: Client): Promise<() => Promise<readonly StorageFailure[]>> {
  await page.evaluate(() => harness.watchFailures());
  return () => page.evaluate(() => [...harness.failures]);
}

test("E2E-23: a full disk is told and shown; what was written meanwhile is kept once there is room", async ({
  join,
  newBrowser,
  site,
}) => {
  const browser = await newBrowser();
  // Before the origin has opened a database: Chromium grants space in advance.
  const cdp = await browser.newCDPSession(await browser.newPage());
  const { origin } = new URL(site.url);
  await cdp.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 2 * mebibyte });
  const client = await join({ browser, agents: ["planner"] });
  const before = await client.send("planner", "planner", ["before"]);
  await client.page.evaluate(() => harness.room.state.notes.insert(0, "before ").settled("local"));
  const failures = await watchFailures(client);
  // Each change is small, and together they are more than there is room for.
  const lost = await client.page.evaluate(async (bytes) => {
    for (let count = 0; count < 8; count++) {
      try {
        await harness.room.state.board.set(`big ${count}`, harness.text(bytes / 2, count)).settled("local");
      } catch (error) {
        return String((error as { details?: { reason?: string } }).details?.reason);
      }
    }
    return "nothing";
  }, mebibyte);
  expect(lost).toBe("quota");
  expect(await failures()).toContain("quota");
  expect(await storageOf(client)).toBe("failed");
  await expect
    .poll(() => client.page.evaluate(() => harness.room.status.get().quota?.quotaBytes ?? 0))
    .toBeGreaterThan(0);

  await cdp.send("Storage.overrideQuotaForOrigin", { origin });
  const after = await client.send("planner", "planner", ["after"]);
  await client.page.evaluate(() => harness.room.state.notes.insert(0, "after ").settled("local"));
  await expect.poll(() => storageOf(client)).toBe("ready");
  const report = await client.report();
  const { report: stored, messageIds } = await client.page.evaluate(() => harness.stored());
  expect(stored).toEqual(report);
  expect(messageIds.toSorted()).toEqual([...before, ...after].toSorted());
});

test("E2E-23: site data that is cleared under two tabs is noticed by both at once; they go on, and start anew", async ({
  join,
  newBrowser,
}) => {
  const browser = await newBrowser();
  const [one, two] = [
    await join({ browser, agents: ["planner"] }),
    await join({ browser, agents: ["critic"] }),
  ];
  const messages = await one.send("planner", "critic", ["kept"]);
  await one.page.evaluate(() => harness.room.state.notes.insert(0, "kept").settled("relayed"));
  await expectConverged([one, two], messages);
  const [writer, failures] = [
    await one.page.evaluate(() => harness.agentNamed("planner").writer),
    await Promise.all([watchFailures(one), watchFailures(two)]),
  ];
  const cdp = await browser.newCDPSession(one.page);
  const { origin } = new URL(one.page.url());
  await cdp.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
  for (const [index, client] of [one, two].entries()) {
    await expect.poll(() => storageOf(client)).toBe("failed");
    expect(new Set(await failures[index]?.())).toEqual(new Set(["closed"]));
  }
  // What is written now still reaches the relay and the other tab.
  await one.page.evaluate(() => harness.room.state.notes.insert(0, "still ").settled("relayed"));
  await expect.poll(async () => (await two.report()).notes).toBe("still kept");
  await one.reload();
  await two.reload();
  await expectConverged([one, two], messages);
  expect(await storageOf(one)).toBe("ready");
  expect((await one.report()).notes).toBe("still kept");
  expect(await one.page.evaluate(() => harness.agentNamed("planner").writer)).not.toBe(writer);
});

test("E2E-23: deleteLocal waits for no other tab, deletes nothing while there is one, and everything after it", async ({
  join,
  newBrowser,
}) => {
  const browser = await newBrowser();
  const [one, two] = [
    await join({ browser, agents: ["planner"] }),
    await join({ browser, agents: ["critic"] }),
  ];
  const messages = await one.send("planner", "critic", ["before"]);
  await expectConverged([one, two], messages);
  await one.synced();
  const writer = await one.page.evaluate(() => harness.agentNamed("planner").writer);
  const deleteLocal = ({ page }: Client) =>
    page.evaluate(() =>
      harness.room.deleteLocal().then(
        () => "deleted",
        (error: { details: { reason: string } }) => error.details.reason,
      ),
    );
  expect(await deleteLocal(one)).toBe("blocked");
  expect(await storageOf(two)).toBe("ready");
  await two.send("critic", "critic", ["goes on"]);
  await two.synced();
  await two.page.close();
  // A closed tab's locks are free a moment later.
  await expect.poll(() => deleteLocal(one)).toBe("deleted");
  const names = await one.page.evaluate(async () =>
    (await indexedDB.databases()).flatMap(({ name }) => (name?.startsWith("flockstate/") ? [name] : [])),
  );
  expect(names).toEqual(["flockstate/probe"]);
  // A new writer, whom the relay tells what there was.
  await one.reload();
  await expect.poll(async () => (await one.messageIds()).length).toBe(2);
  expect(await one.page.evaluate(() => harness.agentNamed("planner").writer)).not.toBe(writer);
});

test("E2E-23: twenty reloads of a document of 100 kB keep within twice its size", async ({ join }) => {
  const client = await join({ agents: [] });
  const stateBytes = 100_000;
  const storedBytes = () =>
    client.page.evaluate(async () => {
      const { name = "" } =
        (await indexedDB.databases()).find((each) => each.name?.endsWith("/document/shared")) ?? {};
      return harness.updateBytes(name);
    });
  for (let count = 0; count < 20; count++) {
    await client.page.evaluate(
      ([bytes, seed]) => harness.room.state.board.set("big", harness.text(bytes, seed)).settled("local"),
      [stateBytes, count] as const,
    );
    if (count % 5 === 4) expect(await storedBytes()).toBeLessThan(2 * stateBytes + 65_536);
    await client.synced();
    await client.reload();
  }
  await expect.poll(storedBytes).toBeLessThan(2 * stateBytes + 65_536);
});
