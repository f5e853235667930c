import { expect } from "@playwright/test";
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
