import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import { type GateContext, pageRoot, scanUpdate } from "../../../src/protocol/gate/index.ts";
import { buildUpdate, content, type Id, type StructSpec } from "./build.ts";
import { emptyContext, type Scan } from "./contexts.ts";
import type { Random } from "./random.ts";

/** A page of a lane, as far as everybody has it, and what is offered next. */
export interface LaneTrial {
  state: Uint8Array;
  offered: Uint8Array[];
}

const owner = 77;
/** The first of them arrive in every order, the rest in their own. */
const permuted = 4;
const values: encoding.AnyEncodable[] = [
  null,
  undefined,
  true,
  -0,
  0.1,
  2 ** 40,
  "text",
  "😀",
  [1, [2, { three: [] }]],
  { constructor: 1, "": null },
  12n,
  Uint8Array.of(1, 2, 3),
];

/** The structs of one append that begins at a clock. */
function inventStructs(random: Random, clock: number): { structs: StructSpec[]; end: number } {
  const structs: StructSpec[] = [];
  let end = clock;
  for (let count = random.below(3); count >= 0; count--) {
    const items = Array.from({ length: 1 + random.below(3) }, () => random.pick(values));
    const origin: Id | undefined = end > 0 ? [owner, end - 1] : undefined;
    structs.push({ ...content.any(...items), origin, parent: pageRoot });
    end += items.length;
  }
  return { structs, end };
}

function mutate(random: Random, update: Uint8Array): Uint8Array {
  const bytes = [...update];
  const at = random.below(bytes.length);
  const what = random.below(4);
  if (what < 2) bytes[at]! ^= 1 << random.below(8);
  else if (what === 2) bytes[at] = random.below(256);
  else bytes.splice(at, random.below(2), random.below(256));
  return Uint8Array.from(bytes);
}

/** Appends of a page, some of them changed, doubled, joined, or with other content for the same clocks. */
export function inventLaneTrial(random: Random): LaneTrial {
  const first = inventStructs(random, 0);
  const state = random.chance(0.2)
    ? Uint8Array.of(0, 0)
    : buildUpdate([{ client: owner, clock: 0, structs: first.structs }]);
  let clock = state.length > 2 ? first.end : 0;
  const offered: Uint8Array[] = [];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const { structs, end } = inventStructs(random, clock);
    let update = buildUpdate([{ client: owner, clock, structs }]);
    if (random.chance(0.3)) update = mutate(random, update);
    offered.push(update);
    const what = random.below(10);
    if (what === 0) offered.push(update);
    else if (what === 1) offered.push(state);
    else if (what === 2)
      offered.push(buildUpdate([{ client: owner, clock, ...inventStructs(random, clock) }]));
    clock = end;
  }
  return { state, offered };
}

/** How replicas that got the same accepted updates can differ. */
export type LaneViolation =
  | "an apply threw"
  | "orders differ"
  | "merging differs"
  | "re-encoding differs"
  | "refused anew";

export interface LaneOutcome {
  /** How many of the offered updates the gate let pass, those that it knew included. */
  accepted: number;
  violation?: LaneViolation;
}

/** What a replica shows: its values and clocks as bytes, and whether it waits for something. */
function view(updates: readonly Uint8Array[]): string {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  const { pendingStructs, pendingDs } = doc.store;
  const shown = encoding.encode((encoder) => {
    encoding.writeAny(encoder, doc.getArray(pageRoot).toArray() as encoding.AnyEncodable);
    encoding.writeUint8Array(encoder, Y.encodeStateVector(doc));
    encoding.writeUint8(encoder, pendingStructs === null && pendingDs === null ? 0 : 1);
  });
  return shown.join();
}

function* orders<T>(items: readonly T[]): Iterable<T[]> {
  if (items.length < 2) yield [...items];
  else
    for (const [index, first] of items.entries())
      for (const rest of orders(items.toSpliced(index, 1))) yield [first, ...rest];
}

/** Compares every way in which the accepted updates can reach a replica. */
export function examineLane({ state, offered }: LaneTrial, scan: Scan): LaneOutcome {
  let known = 0;
  const context: GateContext = { ...emptyContext, clockOf: (client) => (client === owner ? known : 0) };
  const accepted: Uint8Array[] = [];
  for (const update of [state, ...offered]) {
    const verdict = scan(update, { profile: "append", client: owner, context });
    // What is known is passed on by nobody; its own sender may repeat it.
    if (!verdict.ok || (verdict.known && !accepted.includes(update))) continue;
    known = Math.max(known, ...verdict.ranges.map(({ to }) => to));
    accepted.push(update);
  }
  const outcome: LaneOutcome = { accepted: accepted.length - 1 };
  const violated = (violation: LaneViolation): LaneOutcome => ({ ...outcome, violation });
  try {
    const expected = view(accepted);
    for (const order of orders(accepted.slice(0, permuted))) {
      if (view([...order, ...accepted.slice(permuted)]) !== expected) return violated("orders differ");
    }
    const merged = Y.mergeUpdates(accepted);
    if (view([merged]) !== expected) return violated("merging differs");
    const doc = new Y.Doc();
    for (const update of accepted) Y.applyUpdate(doc, update);
    const encoded = Y.encodeStateAsUpdate(doc);
    if (view([encoded]) !== expected || view([...accepted, encoded, merged]) !== expected) {
      return violated("re-encoding differs");
    }
    for (const whole of [merged, encoded]) {
      const anew = scanUpdate(whole, { profile: "append", client: owner, context: emptyContext });
      if (!anew.ok) return violated("refused anew");
    }
  } catch {
    return violated("an apply threw");
  }
  return outcome;
}
