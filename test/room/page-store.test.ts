import { expect, it, onTestFinished } from "vitest";
import { toUtf8 } from "../../src/base/index.ts";
import { createInMemoryStore, openLayeredStore } from "../../src/refstore/index.ts";
import { createPageStore } from "../../src/room/page-store.ts";
import { until } from "../refstore/manual-clock.ts";

/** The page store of a device whose relay is in the test's hands. */
async function setUp() {
  const remote = createInMemoryStore();
  const puts: string[] = [];
  const relay: typeof remote = {
    ...remote,
    async put(bytes, options) {
      const reference = await remote.put(bytes, options);
      puts.push(reference.id);
      return reference;
    },
  };
  const refs = await openLayeredStore({ local: createInMemoryStore(), remote: relay });
  onTestFinished(() => refs.close());
  refs.connected();
  return { pages: createPageStore(refs, relay), remote, puts };
}

it("SEAL-13: a seal that the relay has lost is put again, and only such a one", async () => {
  const { pages, remote, puts } = await setUp();
  const hash = await pages.put(toUtf8("a sealed page"));
  await pages.relayed(hash);
  await pages.restore(hash);
  expect(puts).toEqual([hash]);
  await remote.delete(hash);
  await pages.restore(hash);
  await until(async () => remote.has(hash));
  expect(puts).toEqual([hash, hash]);
});

it("SEAL-13: one that this device does not have either is no error", async () => {
  const { pages, puts } = await setUp();
  await pages.restore("ab".repeat(32));
  expect(puts).toEqual([]);
});
