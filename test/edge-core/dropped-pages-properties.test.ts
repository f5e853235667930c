import { expect, test } from "vitest";
import { createInMemoryStorage, type RoomStorage } from "../../src/edge/index.ts";
import { pageRoot, parseDocumentName, registerName, registerRoot } from "../../src/protocol/index.ts";
import { createRandom } from "../protocol/gate/random.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";
import { createLedgerWorld, grantOf } from "./ledgers.ts";

/** Lives; `FLOCKSTATE_LIVES` raises it. */
const lives = Number(process.env["FLOCKSTATE_LIVES"] ?? 60);
const owner = grantOf("anon");
const steps = 200;
const clients = [3, 4, 5, 6];
const register = registerName("anon.planner.x7");

class Crash extends Error {}

interface Life {
  broken: string[];
  refusals: number;
  registers: number;
  crashes: number;
}

/**
 * Lives a seed: an owner who writes its pages with what comes to its mind each time, drops them and writes them again,
 * and comes and goes with its register; readers who keep whatever they were told; turns that crash.
 */
function live(seed: number, alter: (storage: RoomStorage) => RoomStorage = (storage) => storage): Life {
  const random = createRandom(seed);
  const stored = alter(createInMemoryStorage());
  let fate = 9;
  const storage: RoomStorage = {
    ...stored,
    commit(changes) {
      if (fate === 0) throw new Crash();
      stored.commit(changes);
      if (fate === 1) throw new Crash();
    },
  };
  const life: Life = { broken: [], refusals: 0, registers: 0, crashes: 0 };
  let world = createLedgerWorld({ storage });
  /** What each page said, as readers keep it while its writer's register is there: by the page's client. */
  const kept = new Map<number, readonly string[]>();
  /** Pages that the owner dropped since its register began, committed ones. */
  let dropped = new Set<number>();
  let isRegistered = false;

  function append(client: number): void {
    const stands = stored.documentNamed(pageOf(client)) !== undefined;
    const values = [...(stands ? (kept.get(client) ?? []) : []), `${random.below(1_000)}`];
    const updates = pageUpdates(client, values);
    const document = world.ledger.open(parseDocumentName(pageOf(client)), owner);
    if ("code" in document) {
      if (document.code !== "edge/dropped" || !dropped.has(client)) life.broken.push(document.code);
      life.refusals++;
      return;
    }
    const update = updates.at(-1);
    const refused = update && world.ledger.offer(document, update, { author: "", grant: owner });
    if (refused) life.broken.push(`refused: ${refused.code}`);
  }

  function beginRegister(): void {
    const { doc, take } = editedDocument(random.below(1_000_000));
    doc.getMap(registerRoot).set("v", { seed });
    for (const update of take()) world.offer(register, update, owner);
  }

  function end(name: string): void {
    const refused = world.ledger.drop(parseDocumentName(name), owner);
    if (refused) life.broken.push(`refused: ${refused.code}`);
  }

  /** One thing a turn, so that what became of it can be read from the storage alone. */
  function turn(what: () => void): void {
    fate = random.below(12);
    try {
      what();
      world.ledger.commit();
    } catch (cause) {
      if (!(cause instanceof Crash)) throw cause;
      life.crashes++;
      world = createLedgerWorld({ storage });
    }
    fate = 9;
  }

  function judge(before: ReadonlySet<number>): void {
    const wasRegistered = isRegistered;
    isRegistered = stored.documentNamed(register) !== undefined;
    if (isRegistered && !wasRegistered) life.registers++;
    for (const client of clients) {
      const stands = stored.documentNamed(pageOf(client)) !== undefined;
      if (before.has(client) && !stands && isRegistered) dropped.add(client);
      if (!stands) continue;
      const values = world.read(pageOf(client)).getArray(pageRoot).toArray().map(String);
      const known = kept.get(client) ?? [];
      const differs = known.findIndex((value, index) => index < values.length && value !== values[index]);
      if (differs >= 0) life.broken.push(`${client}: ${known} and ${values}`);
      if (values.length >= known.length) kept.set(client, values);
    }
    if (isRegistered) return;
    // Who has no register has departed: readers keep nothing of its pages but those that stand.
    dropped = new Set();
    for (const client of clients) if (!stored.documentNamed(pageOf(client))) kept.delete(client);
    if (stored.droppedCount() > 0) life.broken.push("remembered for nobody");
  }

  for (let step = 0; step < steps; step++) {
    const before = new Set(clients.filter((client) => stored.documentNamed(pageOf(client))));
    const client = random.pick(clients);
    const kind = random.below(20);
    if (kind < 9) turn(() => append(client));
    else if (kind < 15) turn(() => end(pageOf(client)));
    else if (kind < 18) turn(() => (stored.documentNamed(register) ? undefined : beginRegister()));
    else if (kind === 18) turn(() => end(register));
    else world = createLedgerWorld({ storage });
    judge(before);
  }
  return life;
}

test("DROP-13: whatever an owner writes, drops and writes again, no two readers ever hold different contents of a page", () => {
  const total = { refusals: 0, registers: 0, crashes: 0 };
  for (let seed = 0; seed < lives; seed++) {
    const { broken, ...life } = live(seed);
    expect({ seed, broken }).toEqual({ seed, broken: [] });
    for (const key of ["refusals", "registers", "crashes"] as const) total[key] += life[key];
  }
  expect(Math.min(...Object.values(total))).toBeGreaterThan(lives);
});

test.each<[string, (storage: RoomStorage) => RoomStorage]>([
  [
    "forgets what was dropped",
    (storage) => ({
      ...storage,
      commit: ({ droppedPages: _, ...changes }) => storage.commit(changes),
    }),
  ],
  [
    "knows only the number of a page",
    (storage) => ({
      ...storage,
      wasDropped: ({ register: id, page }) =>
        [...storage.droppedPages(id)].some(({ number }) => number === page.number),
    }),
  ],
  [
    "remembers beyond the register",
    (storage) => {
      const names = new Set<number>();
      return {
        ...storage,
        wasDropped: ({ page }) => names.has(page.client),
        commit(changes) {
          storage.commit(changes);
          for (const { page } of changes.droppedPages ?? []) names.add(page.client);
        },
      };
    },
  ],
])("DROP-13: control: a storage that %s is caught", (_, alter) => {
  let caught = 0;
  for (let seed = 0; seed < 12; seed++) if (live(seed, alter).broken.length > 0) caught++;
  expect(caught).toBeGreaterThan(3);
});
