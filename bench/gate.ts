import { performance } from "node:perf_hooks";
import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import {
  type GateContext,
  type GateOptions,
  gateLimits,
  rootPlace,
  scanUpdate,
} from "../src/protocol/index.ts";
import { median, report } from "./measure.ts";

const runs = Number(process.env.BENCH_RUNS ?? 5);
/** Each figure is taken over this many scans. */
const rounds = 20_000;
const mebibyte = 1024 * 1024;

const empty: GateContext = { clockOf: () => 0, placeOf: () => rootPlace };

/** Microseconds a call. */
function costUs(count: number, task: (index: number) => unknown): number {
  const start = performance.now();
  for (let index = 0; index < count; index++) task(index);
  return ((performance.now() - start) * 1000) / count;
}

function repeat(measure: () => number): number[] {
  measure();
  return Array.from({ length: runs }, measure);
}

function accepted(update: Uint8Array, options: GateOptions): void {
  if (!scanUpdate(update, options).ok) throw new Error("The gate refused what it is to be measured with.");
}

/** Updates that append a batch of so many bytes to a page, one after another. */
function appends(count: number, bytes: number): { client: number; updates: Uint8Array[] } {
  const page = new Y.Doc();
  const updates: Uint8Array[] = [];
  page.on("update", (update: Uint8Array) => updates.push(update));
  for (let index = 0; index < count; index++) page.getArray("b").push([[new Uint8Array(bytes).fill(index)]]);
  return { client: page.clientID, updates };
}

/** Edits of a shared document, about 340 bytes each. */
function edits(count: number): { base: Uint8Array; updates: Uint8Array[] } {
  const doc = new Y.Doc();
  for (let index = 0; index < 50; index++) doc.getMap("m").set(`k${index}`, index);
  doc.getText("t").insert(0, "text ".repeat(200));
  const base = Y.encodeStateAsUpdate(doc);
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (let index = 0; index < count; index++) {
    doc.transact(() => {
      doc.getText("t").insert((index * 31) % 900, `edit ${index} ${"x".repeat(120)}`);
      doc.getMap("m").set(`k${index % 50}`, { index, note: "y".repeat(120) });
      doc.getText("t").delete((index * 17) % 900, 2);
    });
  }
  return { base, updates };
}

function applyAll(base: Uint8Array | undefined, updates: readonly Uint8Array[]): number {
  const doc = new Y.Doc();
  if (base) Y.applyUpdate(doc, base);
  return costUs(updates.length, (index) => Y.applyUpdate(doc, updates[index] as Uint8Array));
}

function laneAppend(): void {
  const { client, updates } = appends(1_000, 250);
  const scan = (): number =>
    costUs(rounds, (index) => {
      const clock = index % updates.length;
      accepted(updates[clock] as Uint8Array, {
        profile: "append",
        client,
        context: { ...empty, clockOf: () => clock },
      });
    });
  report(
    `A lane append of ${updates[500]?.length} B (target: at most 4 µs)`,
    { name: "the gate", unit: "µs", runs: repeat(scan) },
    {
      name: "limit: Y.applyUpdate of the same",
      unit: "µs",
      runs: repeat(() => applyAll(undefined, updates)),
    },
  );
}

function sharedUpdate(): void {
  const { base, updates } = edits(1_000);
  const clocks = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(base));
  const known = updates.map((update) => Y.parseUpdateMeta(update).from);
  const scan = (): number =>
    costUs(rounds, (index) => {
      const at = index % updates.length;
      const from = known[at] as Map<number, number>;
      accepted(updates[at] as Uint8Array, {
        profile: "shared",
        context: { ...empty, clockOf: (client) => from.get(client) ?? clocks.get(client) ?? 0 },
      });
    });
  report(
    `A shared update of ${Math.round(median(updates.map(({ length }) => length)))} B (target: at most 10 µs)`,
    { name: "the gate", unit: "µs", runs: repeat(scan) },
    { name: "limit: Y.applyUpdate of the same", unit: "µs", runs: repeat(() => applyAll(base, updates)) },
  );
}

/** One update of a client, its structs written by a function. */
function updateOf(count: number, write: (encoder: encoding.Encoder, index: number) => void): Uint8Array {
  return encoding.encode((encoder) => {
    for (const number of [1, count, 1, 0]) encoding.writeVarUint(encoder, number);
    for (let index = 0; index < count; index++) write(encoder, index);
    encoding.writeVarUint(encoder, 0);
  });
}

function throughput(): void {
  const text = updateOf(gateLimits.structs, (encoder) => {
    encoding.writeUint8(encoder, 4);
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarString(encoder, "t");
    encoding.writeVarString(encoder, "häuser und 漢字 ".repeat(45));
  });
  const numbers = updateOf(1, (encoder) => {
    encoding.writeUint8(encoder, 8);
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarString(encoder, "a");
    encoding.writeVarUint(encoder, 200_000);
    for (let index = 0; index < 200_000; index++) encoding.writeAny(encoder, index);
  });
  const small = updateOf(gateLimits.structs, (encoder, index) => {
    encoding.writeUint8(encoder, index === 0 ? 8 : 8 | 128 | 64);
    if (index === 0) {
      encoding.writeVarUint(encoder, 1);
      encoding.writeVarString(encoder, "a");
    } else
      for (const number of [1, index - 1, 1, (index * 7) % index]) encoding.writeVarUint(encoder, number);
    encoding.writeVarUint(encoder, 1);
    encoding.writeAny(encoder, null);
  });
  for (const [what, update] of [
    ["text", text],
    ["numbers", numbers],
    ["the smallest structs, crafted", small],
  ] as const) {
    const count = Math.ceil((16 * mebibyte) / update.length);
    const megabytes = (us: number): number => update.length / us;
    report(
      `Bytes of ${what} (target: at least 50 MB/s)`,
      {
        name: `the gate, updates of ${update.length} B`,
        unit: "MB/s",
        runs: repeat(() =>
          megabytes(costUs(count, () => accepted(update, { profile: "shared", context: empty }))),
        ),
      },
      {
        name: "limit: a copy of the bytes",
        unit: "MB/s",
        runs: repeat(() => megabytes(costUs(count, () => update.slice()))),
      },
    );
  }
}

/** The update of at most 1,000 structs that takes Yjs longest: each item is held against all before it. */
function worstUpdate(): void {
  const chain = gateLimits.structs / 2;
  const crafted = updateOf(gateLimits.structs, (encoder, index) => {
    const isChain = index < chain;
    encoding.writeUint8(encoder, 8 | (isChain ? (index > 0 ? 128 : 0) : 64));
    if (index === 0) {
      encoding.writeVarUint(encoder, 1);
      encoding.writeVarString(encoder, "a");
    } else {
      encoding.writeVarUint(encoder, 1);
      encoding.writeVarUint(encoder, isChain ? index - 1 : gateLimits.structs - 1 - index);
    }
    encoding.writeVarUint(encoder, 1);
    encoding.writeAny(encoder, null);
  });
  accepted(crafted, { profile: "shared", context: empty });
  const honest = appends(1, 8 * gateLimits.structs).updates[0] as Uint8Array;
  report(
    "The worst accepted update, integrated into an empty document (target: at most 50 ms)",
    {
      name: `crafted right origins, ${crafted.length} B`,
      unit: "ms",
      runs: repeat(() => costUs(1, () => Y.applyUpdate(new Y.Doc(), crafted)) / 1000),
    },
    {
      name: `an append of ${honest.length} B`,
      unit: "ms",
      runs: repeat(() => costUs(100, () => Y.applyUpdate(new Y.Doc(), honest)) / 1000),
    },
  );
}

/** Prints what the gate costs; a few seconds. */
export function main(): void {
  console.log(`Node ${process.version}, ${runs} runs each, medians with the range.`);
  laneAppend();
  sharedUpdate();
  throughput();
  worstUpdate();
}
