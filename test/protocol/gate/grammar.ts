import * as Y from "yjs";
import type { GateProfile } from "../../../src/protocol/gate/index.ts";
import { type BlockSpec, buildUpdate, content, type DeleteSpec, type Id, type StructSpec } from "./build.ts";
import { createEditor, remote } from "./editing.ts";
import type { Trial } from "./property.ts";
import { createRandom, type Random } from "./random.ts";

const owner = 77;

/** States of documents to offer updates to, with honest updates that come next. */
export interface Ground {
  profile: GateProfile;
  state: Uint8Array;
  next: Uint8Array[];
}

function layGround(profile: GateProfile, seed: number): Ground {
  const random = createRandom(seed);
  const next: Uint8Array[] = [];
  if (profile === "shared") {
    const editors = [owner, 5, 4_000_000_000].map(createEditor);
    for (let step = random.below(30); step >= 0; step--) {
      random.pick(editors).edit(random);
      const [from, to] = [random.pick(editors), random.pick(editors)];
      Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc), remote);
    }
    const author = random.pick(editors);
    const state = Y.encodeStateAsUpdate(author.doc);
    const vector = Y.encodeStateVector(author.doc);
    author.doc.on("update", (update: Uint8Array) => next.push(update));
    for (let step = 0; step < 6; step++) author.edit(random);
    for (const { doc } of editors) Y.applyUpdate(author.doc, Y.encodeStateAsUpdate(doc));
    next.push(Y.encodeStateAsUpdate(author.doc, vector), state);
    return { profile, state, next };
  }
  const doc = new Y.Doc();
  doc.clientID = owner;
  const write = (value: number): void => {
    if (profile === "append") doc.getArray("b").push([{ first: value, entries: Uint8Array.of(value) }]);
    else doc.getMap("r").set("v", { value });
  };
  for (let value = random.below(5); value >= 0; value--) write(value);
  const state = Y.encodeStateAsUpdate(doc);
  if (profile === "register" && random.chance(0.5)) doc.clientID = owner + 1;
  const vector = Y.encodeStateVector(doc);
  doc.on("update", (update: Uint8Array) => next.push(update));
  for (let value = 0; value < 4; value++) write(value);
  next.push(Y.encodeStateAsUpdate(doc, vector), state);
  return { profile, state, next };
}

/** What fuzzing starts from; shared documents have the largest part, as they allow the most. */
export function layGrounds(): Ground[] {
  const profiles: GateProfile[] = ["shared", "shared", "shared", "append", "register"];
  return Array.from({ length: 60 }, (_, seed) => layGround(profiles[seed % profiles.length]!, seed));
}

/** An honest update with a few bytes changed, dropped, doubled or cut off; now and then untouched. */
export function mutateTrial(random: Random, grounds: readonly Ground[]): Trial {
  const { profile, state, next } = random.pick(grounds);
  let bytes = [...random.pick(next)];
  for (let count = random.below(4); count > 0; count--) {
    const at = random.below(bytes.length);
    const what = random.below(7);
    if (what === 0) bytes[at] = random.below(256);
    else if (what === 1) bytes[at]! ^= 1 << random.below(8);
    else if (what === 2) bytes[at] = Math.max(0, Math.min(255, bytes[at]! + random.pick([-1, 1])));
    else if (what === 3) bytes.splice(at, 1 + random.below(3));
    else if (what === 4) bytes.splice(at, 0, random.pick([0, 1, 127, 128, 255, random.below(256)]));
    else if (what === 5) bytes.splice(at, 0, ...bytes.slice(at, at + 1 + random.below(12)));
    else if (random.chance(0.2)) bytes = bytes.slice(0, at);
  }
  return { profile, client: owner, state, update: Uint8Array.from(bytes) };
}

/** An update from the grammar of updates: mostly sensible, with references near every border. */
export function inventTrial(random: Random, grounds: readonly Ground[]): Trial {
  const { profile, state } = random.pick(grounds);
  const known = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(state));
  return { profile, client: owner, state, update: inventUpdate(random, profile, known) };
}

function inventUpdate(random: Random, profile: GateProfile, known: Map<number, number>): Uint8Array {
  const invented = profile === "append" ? [owner] : [...known.keys(), 1, 6, 4_294_967_295];
  const clients = [...new Set(Array.from({ length: random.below(4) }, () => random.pick(invented)))];
  clients.sort((a, b) => b - a);
  if (random.chance(0.02)) clients.reverse();
  const starts = new Map(clients.map((client) => [client, startOf(random, known.get(client) ?? 0)]));
  const ids = { known, starts };
  const blocks = clients.map((client) => inventBlock(random, profile, client, ids));
  const deletes = random.chance(profile === "append" ? 0.05 : 0.4)
    ? inventDeletes(random, invented, known)
    : [];
  return buildUpdate(blocks, deletes);
}

/** The first unknown clock; seldom one beside it, so that every border is met. */
function startOf(random: Random, known: number): number {
  if (random.chance(0.9)) return known;
  return Math.max(0, known + random.pick([-2, -1, 1, 5]));
}

interface Ids {
  known: Map<number, number>;
  starts: Map<number, number>;
}

function inventBlock(random: Random, profile: GateProfile, client: number, ids: Ids): BlockSpec {
  const start = ids.starts.get(client)!;
  const structs: StructSpec[] = [];
  let clock = start;
  for (let count = random.chance(0.02) ? 0 : 1 + random.below(5); count > 0; count--) {
    const { length, spec } = inventContent(random, profile);
    structs.push({ ...spec, ...inventPlace(random, profile, client, clock, ids) });
    clock += length;
  }
  return { client, clock: start, structs };
}

type Place = Omit<StructSpec, "kind" | "content">;

function inventPlace(random: Random, profile: GateProfile, client: number, clock: number, ids: Ids): Place {
  if (profile === "append" && random.chance(0.97))
    return clock > 0 ? { origin: [client, clock - 1] } : { parent: "b" };
  const id = (): Id => inventId(random, client, clock, ids);
  const keyed = random.chance(0.4) ? random.pick(["k", "l", "v", "constructor"]) : undefined;
  const what = random.below(profile === "shared" ? 8 : 5);
  if (what < 2) return { origin: id(), key: keyed };
  if (what < 4)
    return profile === "register"
      ? { parent: "r", key: "v" }
      : { parent: random.pick(["t", "a", "m"]), key: keyed };
  if (what < 6) return { parent: id(), key: keyed };
  return what === 6 ? { right: id() } : { origin: id(), right: id() };
}

/** An id of the past, of this update, or just beyond either. */
function inventId(random: Random, client: number, clock: number, { known, starts }: Ids): Id {
  const what = random.below(10);
  if (what < 4 && clock > 0) return [client, random.chance(0.6) ? clock - 1 : random.below(clock)];
  if (what < 5 && starts.size > 0) {
    const [other, start] = random.pick([...starts]);
    return [other, start + random.below(5)];
  }
  if (known.size === 0) return [client, Math.max(0, clock - 1)];
  const [other, next] = random.pick([...known]);
  return [other, random.below(next + (random.chance(0.1) ? 2 : 0))];
}

const jsons = [
  "true",
  "null",
  '"x"',
  '{"a":[1]}',
  "1e999",
  "{",
  '{"__proto__":1}',
  "[".repeat(40) + "]".repeat(40),
];
const soundJsons = jsons.slice(0, 4);

/** A content and the clocks that it takes. */
function inventContent(
  random: Random,
  profile: GateProfile,
): { length: number; spec: Pick<StructSpec, "kind" | "content"> } {
  const length = random.chance(0.01) ? 0 : 1 + random.below(4);
  const json = random.pick(random.chance(0.05) ? jsons : soundJsons);
  const any = {
    length,
    spec: content.any(...Array.from({ length }, () => random.pick([1, "two", null, [3], { k: 4 }]))),
  };
  if (profile !== "shared" && random.chance(0.7)) return any;
  if (profile === "append" && random.chance(0.9)) return any;
  switch (random.below(14)) {
    case 0:
      return { length, spec: content.gc(length) };
    case 1:
      return { length, spec: content.deleted(length) };
    case 2:
      return { length: 1, spec: content.binary(Uint8Array.of(1, 2)) };
    case 3:
    case 4: {
      const text = random.pick(["a", "ab", "😀", "ä漢", "\uFEFF"]);
      return { length: text.length, spec: content.string(text) };
    }
    case 5:
      return { length: 1, spec: content.embed(json) };
    case 6:
      return { length: 1, spec: content.format("bold", json) };
    case 7:
    case 8:
    case 9:
      return { length: 1, spec: content.type(random.below(random.chance(0.05) ? 9 : 3)) };
    case 10:
      return random.chance(0.1) ? { length, spec: content.skip(length) } : any;
    case 11:
      return random.chance(0.1) ? { length: 1, spec: content.subdocument("other") } : any;
    default:
      return any;
  }
}

/** Invented deletions reach this many clocks back: a client may claim 2^31 of them. */
const longestDeletes = 400;

function inventDeletes(random: Random, clients: readonly number[], known: Map<number, number>): DeleteSpec[] {
  const chosen = [...new Set([random.pick(clients), random.pick(clients)])].sort((a, b) => b - a);
  return chosen.map((client) => {
    const ranges: [number, number][] = [];
    const end = Math.max(1, known.get(client) ?? 0) + random.below(random.chance(0.2) ? 3 : 1);
    for (let clock = Math.max(random.below(3), end - longestDeletes); clock < end; clock += random.below(6)) {
      const length = Math.min(end - clock, 1 + random.below(4));
      ranges.push([clock, length]);
      clock += length;
    }
    return [client, ranges];
  });
}
