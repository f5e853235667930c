import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import {
  closeCodeOf,
  closeCodes,
  isFinalClose,
  type LaneMarks,
  parsePresence,
  parseRoomId,
  type RegisterRecord,
  referencesPath,
  registerRecordSchema,
  socketPath,
} from "../../src/protocol/index.ts";

const register: RegisterRecord = {
  version: 1,
  capabilities: ["plan"],
  since: 7,
  consumers: {
    "direct/*": {
      filter: { type: "QUERY" },
      lanes: { "anon.planner.x7": { below: 2, pages: { "2-7": 5 } } },
    },
  },
};
const lane: LaneMarks = { low: 3, first: 1, head: { page: "2-7", length: 9, hash: "ab".repeat(32) } };
const presence = {
  session: "AAAAAAAAAAA",
  writers: ["anon.planner.x7"],
  awareness: { user: { name: "Ann" } },
};

describe("registers", () => {
  it("FRAME-20: a register is one record of a closed form", () => {
    expect(z.parse(registerRecordSchema, register)).toEqual(register);
    const sealed: RegisterRecord = { ...register, lane, seenAt: 86_400_000, left: true };
    expect(z.parse(registerRecordSchema, sealed)).toEqual(sealed);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["another version", { ...register, version: 2 }],
    ["a field too many", { ...register, admin: true }],
    ["a time before the epoch", { ...register, since: -1 }],
    ["65 capabilities", { ...register, capabilities: new Array(65).fill("a") }],
    ["a capability of 65 characters", { ...register, capabilities: ["c".repeat(65)] }],
    [
      "a name of a consumer past 640 characters",
      { ...register, consumers: { ["c".repeat(641)]: register.consumers["direct/*"] } },
    ],
    [
      "a position that is negative",
      { ...register, consumers: { c: { filter: {}, lanes: { a: { below: -1, pages: {} } } } } },
    ],
    [
      "a page that is none",
      { ...register, consumers: { c: { filter: {}, lanes: { a: { below: 0, pages: { x: 1 } } } } } },
    ],
    [
      "half an entry",
      { ...register, consumers: { c: { filter: {}, lanes: { a: { below: 0, pages: { "0-1": 0.5 } } } } } },
    ],
    ["marks without a head", { ...register, lane: { low: 0, first: 0 } }],
    ["a mark below the first", { ...register, lane: { ...lane, low: -1 } }],
    ["a head that is no page", { ...register, lane: { ...lane, head: { ...lane.head, page: "2" } } }],
    ["a head of no entries", { ...register, lane: { ...lane, head: { ...lane.head, length: 0 } } }],
    ["a head of half a hash", { ...register, lane: { ...lane, head: { ...lane.head, hash: "ab" } } }],
    ["a head above the mark", { ...register, lane: { ...lane, head: { ...lane.head, page: "3-7" } } }],
    ["a first page past the mark", { ...register, lane: { ...lane, first: 4 } }],
    ["a mark too many", { ...register, lane: { ...lane, last: 9 } }],
    ["a day before the epoch", { ...register, seenAt: -1 }],
    ["a leave that is none", { ...register, left: false }],
    ["a filter with a condition", { ...register, consumers: { c: { filter: { where: "x" }, lanes: {} } } }],
  ])("FRAME-20: a register with %s is none", (_, value) => {
    expect(z.safeParse(registerRecordSchema, value).success).toBe(false);
  });
});

describe("presence", () => {
  it("FRAME-21: a presence is read back as it was", () => {
    expect(parsePresence(JSON.stringify(presence))).toEqual(presence);
    expect(parsePresence(JSON.stringify({ ...presence, awareness: null }))).toMatchObject({
      awareness: null,
    });
  });

  it.each<[string, string]>([
    ["text that is no JSON", "{"],
    ["a stock client's state", '{"user":{"name":"Ann"}}'],
    ["a session of 10 characters", JSON.stringify({ ...presence, session: "A".repeat(10) })],
    ["writers that are no list", JSON.stringify({ ...presence, writers: "all" })],
    ["an awareness that is a list", JSON.stringify({ ...presence, awareness: [] })],
    ["a __proto__ key", `{"session":"AAAAAAAAAAA","writers":[],"awareness":{"__proto__":{}}}`],
  ])("FRAME-21: %s is no presence of ours", (_, text) => {
    expect(parsePresence(text)).toBeUndefined();
  });
});

describe("close codes", () => {
  it("FRAME-22: each error closes with the code of its kind, and 4400 stands for the rest", () => {
    expect(closeCodeOf("protocol/unknown-document")).toBe(closeCodes.unknownDocument);
    expect(closeCodeOf("protocol/invalid-room")).toBe(closeCodes.unknownDocument);
    expect(closeCodeOf("protocol/unsupported-version")).toBe(closeCodes.unsupportedVersion);
    expect(closeCodeOf("protocol/not-joined")).toBe(closeCodes.notJoined);
    expect(closeCodeOf("protocol/frame-too-large")).toBe(closeCodes.tooLarge);
    expect(closeCodeOf("protocol/update-too-large")).toBe(closeCodes.tooLarge);
    expect(closeCodeOf("protocol/presence-too-large")).toBe(closeCodes.tooLarge);
    expect(closeCodeOf("edge/unavailable")).toBe(closeCodes.unavailable);
    expect(closeCodeOf("protocol/malformed-frame")).toBe(closeCodes.malformed);
    expect(closeCodeOf("gate/depth")).toBe(closeCodes.malformed);
  });

  it("FRAME-22: 4400-4499 are final, and no other is", () => {
    expect([4399, 4400, 4499, 4500, 1000, 1006, closeCodes.unavailable].map(isFinalClose)).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("routes", () => {
  it("FRAME-23: a room's id is an id, and its paths are below /v1", () => {
    expect(parseRoomId("team-42")).toBe("team-42");
    expect([socketPath("team"), referencesPath("team")]).toEqual([
      "/v1/rooms/team/socket",
      "/v1/rooms/team/refs",
    ]);
    for (const id of ["", "a b", "a/b", "..", "%2e", "x".repeat(65), 7, undefined]) {
      expect(() => parseRoomId(id)).toThrow(expect.objectContaining({ code: "protocol/invalid-room" }));
    }
  });
});
