import { Session } from "node:inspector";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as encoding from "lib0/encoding";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { gateLimits, scanUpdate } from "../../../src/protocol/gate/index.ts";
import { buildUpdate, content, type DeleteSpec, type StructSpec } from "./build.ts";
import { emptyContext } from "./contexts.ts";

const mebibyte = 1024 * 1024;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What is left on the heap of what a task makes. */
function retainedBytes(make: () => unknown): number {
  const inUse = (): number => {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = inUse();
  const made = make();
  const after = inUse();
  expect(made).toBeDefined();
  return after - before;
}

/** A part of a V8 profile that Node's types do not name yet. */
interface Sampled {
  samples: readonly { size: number }[];
}

/** Everything that a task allocates, what is collected meanwhile included: no peak of the heap is higher. */
function allocatedBytes(task: () => void): number {
  const session = new Session();
  session.connect();
  session.post("HeapProfiler.startSampling", {
    samplingInterval: 8_192,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  task();
  let bytes = 0;
  session.post("HeapProfiler.stopSampling", (_, { profile }) => {
    bytes = (profile as unknown as Sampled).samples.reduce((sum, { size }) => sum + size, 0);
  });
  session.disconnect();
  return bytes;
}

/** One struct of as many values as fit a mebibyte, each the same bytes. */
function filled(bytes: number[]): Uint8Array {
  const count = Math.floor((mebibyte - 64) / bytes.length);
  const values = new Uint8Array(count * bytes.length);
  for (let index = 0; index < count; index++) values.set(bytes, index * bytes.length);
  const struct: StructSpec = {
    kind: 8,
    parent: "a",
    content(encoder) {
      encoding.writeVarUint(encoder, count);
      encoding.writeUint8Array(encoder, values);
    },
  };
  return buildUpdate([{ client: 1, clock: 0, structs: [struct] }]);
}

/** As many structs and deleted ranges as one update may have, of ever new clients. */
function crowded(): Uint8Array {
  const { structs, deleteRanges } = gateLimits;
  const clients = Array.from({ length: structs }, (_, index) => structs - index);
  const deletes = clients.map((client): DeleteSpec => [client, [[0, 1]]]);
  expect(deletes.length).toBeLessThanOrEqual(deleteRanges);
  return buildUpdate(
    clients.map((client) => ({
      client,
      clock: 0,
      structs: [{ ...content.any("x".repeat(1_000)), parent: "a" }],
    })),
    deletes,
  );
}

/** A mebibyte with as many of these containers as may be, and numbers for the rest. */
function filledWithMost(bytes: number[], containersEach: number): Uint8Array {
  const count = Math.floor(gateLimits.containers / containersEach);
  const containers = Uint8Array.from(
    { length: count * bytes.length },
    (_, at) => bytes[at % bytes.length] ?? 0,
  );
  const numbers = mebibyte - 64 - containers.length;
  const struct: StructSpec = {
    kind: 8,
    parent: "a",
    content(encoder) {
      encoding.writeVarUint(encoder, count + numbers);
      encoding.writeUint8Array(encoder, containers);
      encoding.writeUint8Array(encoder, new Uint8Array(numbers).fill(126));
    },
  };
  return buildUpdate([{ client: 1, clock: 0, structs: [struct] }]);
}

const nested = [...Array.from({ length: 31 }, () => [117, 1]).flat(), 126];
const keptMiB = 32;

/** What fills an update that is accepted. */
const fillings: [what: string, update: () => Uint8Array][] = [
  ["structs and deletions of new clients", crowded],
  ["null", () => filled([126])],
  ["numbers", () => filled([124, 0, 0, 0, 1])],
  ["empty texts", () => filled([119, 0])],
  ["arrays of one, and null", () => filledWithMost([117, 1, 126], 1)],
  ["arrays within one another, and null", () => filledWithMost(nested, 31)],
  ["objects of one, and null", () => filledWithMost([118, 1, 1, 97, 126], 1)],
  ["empty bytes, and null", () => filledWithMost([116, 0], 1)],
];

describe("what an accepted mebibyte costs in memory", () => {
  it.each(fillings)("GATE-1: THREAT-9 the gate takes less than 4 MiB of heap for %s", (_, make) => {
    const update = make();
    const options = { profile: "shared", context: emptyContext } as const;
    expect(scanUpdate(update, options)).toMatchObject({ ok: true });
    expect(allocatedBytes(() => scanUpdate(update, options))).toBeLessThan(4 * mebibyte);
  });

  it.each(fillings)("GATE-1: THREAT-9 a replica keeps a bounded heap for a mebibyte of %s", (_, make) => {
    const update = make();
    const retained = retainedBytes(() => {
      const doc = new Y.Doc();
      doc.getArray("a");
      Y.applyUpdate(doc, update);
      return doc;
    });
    expect(retained).toBeLessThan(keptMiB * mebibyte);
  });

  it.each<[string, number[]]>([
    ["empty arrays", [117, 0]],
    ["arrays of one", [117, 1, 126]],
    ["arrays within one another", nested],
    ["empty objects", [118, 0]],
    ["empty bytes", [116, 0]],
  ])("GATE-20: THREAT-9 a mebibyte of %s alone is refused, at little cost", (_, bytes) => {
    const update = filled(bytes);
    const options = { profile: "shared", context: emptyContext } as const;
    expect(scanUpdate(update, options)).toMatchObject({ code: "gate/bounds" });
    expect(allocatedBytes(() => scanUpdate(update, options))).toBeLessThan(4 * mebibyte);
  });

  it("GATE-20: arrays, objects and byte strings are counted over all values of an update", () => {
    const counted = (limit: number) =>
      scanUpdate(
        buildUpdate([{ client: 1, clock: 0, structs: [content.any([1, { a: [] }]), content.any([2])] }]),
        {
          profile: "shared",
          context: emptyContext,
          limits: { containers: limit },
        },
      ).ok;
    expect([counted(4), counted(3)]).toEqual([true, false]);
  });

  it("GATE-1: THREAT-9 control: eight bytes make Yjs itself allocate for millions of structs", () => {
    const bomb = encoding.encode((encoder) => {
      for (const number of [1, 2 ** 22, 1, 0]) encoding.writeVarUint(encoder, number);
    });
    const taken = allocatedBytes(() => {
      try {
        Y.applyUpdate(new Y.Doc(), bomb);
      } catch {
        // It ends too early, after the allocation.
      }
    });
    expect(taken).toBeGreaterThan(16 * mebibyte);
    expect(scanUpdate(bomb, { profile: "shared", context: emptyContext })).toMatchObject({
      code: "gate/bounds",
    });
  });
});
