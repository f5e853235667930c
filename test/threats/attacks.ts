import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import type { ErrorCode } from "../../src/base/index.ts";
import type { Received } from "../../src/crdt/shared/guard.ts";
import { laneName, registerName, sharedName } from "../../src/protocol/index.ts";
import {
  type BlockSpec,
  buildUpdate,
  content,
  type DeleteSpec,
  type StructSpec,
} from "../protocol/gate/build.ts";

/** Whose writes the attacker is after: their Yjs client, and how far the relay knows it. */
export interface Victim {
  client: number;
  clock: number;
}

/** One update that a malicious or broken replica may send. */
export interface Attack {
  /** The row of the table of threats. */
  row: number;
  what: string;
  document: string;
  update(victim: Victim): Uint8Array;
  /** What the relay answers; `silence` where nothing in the update is new to it. */
  relay: ErrorCode | "silence";
  /** What a client does with the bytes, should they reach it past a relay; where it cannot tell, undefined. */
  client: Received["result"] | undefined;
}

/** The attacker's principal, and the Yjs client under which it writes. */
export const attacker = "mallory";
export const attackerClient = 666;
/** Nobody ever wrote under it. */
const unknownClient = 404;

const ownLane = laneName(`${attacker}.bot.x1`, { number: 0, client: attackerClient });
const ownRegister = registerName(`${attacker}.bot.x1`);

const one = (structs: StructSpec[], client = attackerClient, clock = 0): Uint8Array =>
  buildUpdate([{ client, clock, structs }]);
const deleting = (...ranges: DeleteSpec[]): Uint8Array => buildUpdate([], ranges);
const numbers = (...values: number[]): Uint8Array =>
  encoding.encode((encoder) => {
    for (const value of values) encoding.writeVarUint(encoder, value);
  });
const nestedAny = (depth: number): number[] => [...Array.from({ length: depth }, () => [117, 1]).flat(), 126];
const nestedJson = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const block = (client: number): BlockSpec => ({ client, clock: 0, structs: [content.any(1)] });
const proto = "__proto__";
const forbidden = JSON.parse(`{"a":[{"${proto}":{"isAdmin":true}}]}`) as encoding.AnyEncodable;

const shared = (
  row: number,
  what: string,
  relay: Attack["relay"],
  client: Attack["client"],
  update: Attack["update"],
): Attack => ({ row, what, document: sharedName(), relay, client, update });

const inLane = (row: number, what: string, relay: Attack["relay"], update: Uint8Array): Attack => ({
  row,
  what,
  document: ownLane,
  relay,
  client: relay === "gate/gap" ? "gap" : "refused",
  update: () => update,
});

const refused = (row: number, what: string, relay: ErrorCode, update: Attack["update"]): Attack =>
  shared(row, what, relay, "refused", update);

/** Attacks by one update each, by row of the table of threats. */
export const attacks: readonly Attack[] = [
  shared(1, "writes the victim's first clocks anew, with other content", "silence", "known", ({ client }) =>
    one([content.string("forged")], client),
  ),
  shared(1, "goes on as the victim, before its own writes arrive", "gate/not-owner", undefined, (victim) =>
    one([content.string("forged")], victim.client, victim.clock),
  ),
  shared(1, "goes on as the victim and repeats its last clock", "gate/not-owner", undefined, (victim) =>
    one([content.string("xforged")], victim.client, victim.clock - 1),
  ),

  refused(2, "collects 2^40 of the victim's clocks", "gate/bounds", ({ client, clock }) =>
    one([content.gc(2 ** 40)], client, clock),
  ),
  shared(2, "collects all that is left of the victim's clocks", "gate/not-owner", undefined, (victim) =>
    one([content.gc(2 ** 31 - victim.clock)], victim.client, victim.clock),
  ),
  shared(2, "claims one clock of the victim as deleted", "gate/not-owner", undefined, (victim) =>
    one([content.deleted(1)], victim.client, victim.clock),
  ),
  inLane(2, "collects clocks of a lane", "gate/profile", one([content.gc(9)])),

  refused(3, "deletes everything of the victim, now and to come", "gate/bounds", ({ client }) =>
    deleting([client, [[0, 2 ** 50]]]),
  ),
  shared(3, "deletes one clock that the victim has yet to write", "gate/gap", "gap", ({ client, clock }) =>
    deleting([client, [[0, clock + 1]]]),
  ),
  shared(3, "deletes what somebody unknown will write", "gate/gap", "gap", () =>
    deleting([unknownClient, [[0, 1]]]),
  ),
  inLane(3, "deletes in a lane", "gate/deletes", deleting([attackerClient, [[0, 1]]])),

  shared(4, "leaves a gap before its clocks", "gate/gap", "gap", () =>
    one([content.any(1)], attackerClient, 5),
  ),
  ...(["origin", "right", "parent"] as const).map((reference) =>
    shared(4, `refers to an unknown ${reference}`, "gate/gap", "gap", () =>
      one([{ ...content.any(1), [reference]: [unknownClient, 0] }]),
    ),
  ),
  inLane(
    4,
    "leaves a gap in a lane",
    "gate/gap",
    one([{ ...content.any(1), origin: [attackerClient, 4] }], attackerClient, 5),
  ),

  ...(["origin", "right", "parent"] as const).map((reference) =>
    refused(5, `has its own future as ${reference}`, "gate/origin", () =>
      one([content.any(1, 2), { ...content.any(1), [reference]: [attackerClient, 2] }]),
    ),
  ),
  refused(5, "waits in a circle", "gate/origin", () =>
    buildUpdate([
      { client: 668, clock: 0, structs: [content.any(1), { ...content.any(1), origin: [667, 1] }] },
      { client: 667, clock: 0, structs: [content.any(1), { ...content.any(1), origin: [668, 1] }] },
    ]),
  ),

  ...[33, 5_000].flatMap((depth) => [
    refused(6, `nests a value ${depth} deep`, "gate/depth", () => one([content.rawAny(1, nestedAny(depth))])),
    refused(6, `nests an embed ${depth} deep`, "gate/depth", () => one([content.embed(nestedJson(depth))])),
    refused(6, `nests a format ${depth} deep`, "gate/depth", () =>
      one([content.format("bold", nestedJson(depth))]),
    ),
  ]),
  inLane(
    6,
    "nests a value in a lane",
    "gate/depth",
    one([{ ...content.rawAny(1, nestedAny(33)), parent: "b" }]),
  ),

  ...[5, 900].map((count) =>
    refused(7, `nests ${count} shared types`, "gate/depth", () =>
      one(
        Array.from({ length: count }, (_, clock) => ({
          ...content.type(0),
          parent: clock === 0 ? "a" : ([attackerClient, clock - 1] as const),
        })),
      ),
    ),
  ),

  shared(8, "sends 1,001 structs at once", "gate/too-many-structs", undefined, () =>
    one(Array.from({ length: 1_001 }, () => content.any(1))),
  ),
  ...[
    { document: ownLane, first: { ...content.any(1), parent: "b" } },
    { document: ownRegister, first: { ...content.any(1), parent: "r", key: "v" } },
  ].map(
    ({ document, first }): Attack => ({
      row: 8,
      what: `has a right origin in ${document}`,
      document,
      relay: "gate/right-origin",
      client: "refused",
      update: () => one([first, { ...content.any(1), right: [attackerClient, 0] }]),
    }),
  ),

  refused(9, "announces 33 million clients", "gate/bounds", () => numbers(2 ** 25, 1, 1)),
  refused(9, "announces 33 million structs", "gate/bounds", () => numbers(1, 2 ** 25, 1, 0, 0, 0)),
  refused(9, "announces 33 million deleted ranges", "gate/bounds", () => numbers(0, 1, 9, 2 ** 25, 0, 0)),
  refused(9, "announces a thousand million values", "gate/bounds", () =>
    one([content.rawAny(2 ** 30, [126])]),
  ),
  refused(9, "speaks the format's second version", "gate/not-canonical", () => {
    const doc = new Y.Doc();
    doc.getText("t").insert(0, "text");
    return Y.encodeStateAsUpdateV2(doc);
  }),

  refused(11, "has two blocks of one client", "gate/not-canonical", () => buildUpdate([block(1), block(1)])),
  refused(11, "has clients out of order", "gate/not-canonical", () => buildUpdate([block(1), block(2)])),
  refused(11, "skips clocks", "gate/not-canonical", () => one([content.any(1), content.skip(2)])),
  refused(11, "flags a collected struct", "gate/not-canonical", () => one([{ ...content.gc(1), kind: 128 }])),
  refused(11, "has bytes to spare", "gate/not-canonical", () => Uint8Array.of(0, 0, 0)),

  ...Object.entries({
    collected: content.gc(0),
    deleted: content.deleted(0),
    text: content.string(""),
    values: content.any(),
  }).map(([what, empty]) =>
    refused(12, `has ${what} of no length`, "gate/not-canonical", () => one([empty, content.any(1)])),
  ),
  refused(12, "deletes nothing", "gate/not-canonical", ({ client }) => deleting([client, [[0, 0]]])),

  ...Object.entries({
    "a value": content.any(forbidden),
    "an embed": content.embed(JSON.stringify(forbidden)),
    "an embed, escaped": content.embed(String.raw`{"\u005f_proto__":1}`),
    "a format's value": content.format("bold", JSON.stringify(forbidden)),
    "a format": content.format(proto, "true"),
    "a map": { ...content.any(1), parent: "m", key: proto },
    "the document": { ...content.any(1), parent: proto },
  }).map(([what, struct]) =>
    refused(13, `sets the prototype as a key of ${what}`, "gate/forbidden-key", () => one([struct])),
  ),

  refused(14, "holds another room as a subdocument", "gate/forbidden-content", () =>
    one([content.subdocument("other-room")]),
  ),
  refused(14, "holds JSON of an older Yjs", "gate/forbidden-content", () => one([content.json("1")])),
  refused(14, "holds XML", "gate/forbidden-content", () => one([content.type(4)])),
];
