import * as encoding from "lib0/encoding";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import {
  type GateOptions,
  gateLimits,
  isResync,
  pageRoot,
  registerKey,
  registerRoot,
  rootPlace,
  scanUpdate,
} from "../../../src/protocol/gate/index.ts";
import { buildUpdate, content, type DeleteSpec, type StructSpec } from "./build.ts";
import { emptyContext } from "./contexts.ts";
import { createRandom } from "./random.ts";

function scanStructs(structs: StructSpec[], options: Partial<GateOptions> = {}, clock = 0) {
  const context = { clockOf: (client: number) => (client === 1 ? clock : 0), placeOf: () => rootPlace };
  const update = buildUpdate([{ client: 1, clock, structs }]);
  return scanUpdate(update, { profile: "shared", context, ...options });
}

function codeOf(...parameters: Parameters<typeof scanStructs>): string {
  const verdict = scanStructs(...parameters);
  return verdict.ok ? "accepted" : verdict.code;
}

function codeOfBytes(...bytes: number[]): string {
  const verdict = scanUpdate(Uint8Array.from(bytes), { profile: "shared", context: emptyContext });
  return verdict.ok ? "accepted" : verdict.code;
}

describe("GATE-3: the canonical form", () => {
  it("GATE-3: an integer is as short as it can be, and of at most 53 bits", () => {
    expect(codeOfBytes(0, 0)).toBe("accepted");
    expect(codeOfBytes(0x80, 0, 0)).toBe("gate/not-canonical");
    expect(codeOfBytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1)).toBe("gate/bounds");
    expect(codeOfBytes(255, 255, 255, 255, 255, 255, 255, 255, 255, 1)).toBe("gate/bounds");
    expect(codeOfBytes(...Array.from({ length: 1_000 }, () => 0x80))).toBe("gate/bounds");
    expect(codeOfBytes(255)).toBe("gate/malformed");
  });

  it("GATE-3: an integer value too, however lib0 writes it", () => {
    for (const value of [0, -0, 63, 64, -64, 8191, 8192, 2 ** 31 - 1, -(2 ** 31) + 1, 2 ** 53, -1.5, 1e300]) {
      expect(codeOf([content.any(value)])).toBe("accepted");
    }
    expect(codeOf([content.rawAny(1, [125, 0x81, 0])])).toBe("gate/not-canonical");
    expect(codeOf([content.rawAny(1, [125, 255, 255, 255, 255, 255, 255, 255, 127])])).toBe("gate/bounds");
    expect(codeOf([content.rawAny(1, [115])])).toBe("gate/malformed");
    expect(codeOf([content.rawAny(1, [128])])).toBe("gate/malformed");
  });

  it("GATE-2: a client has 32 bits, a clock 31", () => {
    const scan = (client: number, clock: number) => {
      const update = buildUpdate([{ client, clock, structs: [content.any(1)] }]);
      const verdict = scanUpdate(update, {
        profile: "shared",
        context: { ...emptyContext, clockOf: () => clock },
      });
      return verdict.ok ? "accepted" : verdict.code;
    };
    expect(scan(2 ** 32 - 1, 2 ** 31 - 1)).toBe("accepted");
    expect(scan(2 ** 32, 0)).toBe("gate/bounds");
    expect(scan(1, 2 ** 31)).toBe("gate/bounds");
  });

  it("GATE-3: a parent is a name or an id", () => {
    const update = buildUpdate([{ client: 1, clock: 0, structs: [content.any(1)] }]);
    const flagAt = update.indexOf("t".charCodeAt(0)) - 2;
    expect(update[flagAt]).toBe(1);
    update[flagAt] = 2;
    expect(codeOfBytes(...update)).toBe("gate/not-canonical");
  });

  it("GATE-4: deletes descend by client, their ranges ascend and do not overlap", () => {
    const scan = (...deletes: DeleteSpec[]) => {
      const context = { clockOf: () => 100, placeOf: () => rootPlace };
      const verdict = scanUpdate(buildUpdate([], deletes), { profile: "shared", context });
      return verdict.ok ? "accepted" : verdict.code;
    };
    expect(
      scan(
        [
          2,
          [
            [0, 3],
            [5, 95],
          ],
        ],
        [1, [[7, 1]]],
      ),
    ).toBe("accepted");
    expect(scan([1, [[0, 1]]], [2, [[0, 1]]])).toBe("gate/not-canonical");
    expect(scan([1, [[0, 1]]], [1, [[2, 1]]])).toBe("gate/not-canonical");
    expect(
      scan(
        [3, []],
        [
          2,
          [
            [0, 1],
            [2, 1],
          ],
        ],
      ),
    ).toBe("gate/not-canonical");
    expect(
      scan([
        1,
        [
          [5, 1],
          [0, 1],
        ],
      ]),
    ).toBe("gate/not-canonical");
    expect(
      scan([
        1,
        [
          [0, 3],
          [2, 1],
        ],
      ]),
    ).toBe("gate/not-canonical");
  });
});

describe("GATE-15: strings and JSON", () => {
  it("GATE-15: exactly what a fatal decoder takes is taken, and its UTF-16 units are counted", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const random = createRandom(15);
    const parts = [
      "61",
      "c3a4",
      "e6bca2",
      "f09f9880",
      "efbbbf",
      "eda080",
      "e08080",
      "f08080",
      "f4908080",
      "c080",
      "80",
      "f5",
      "e6bc",
      "ff",
    ];
    let valid = 0;
    for (let trial = 0; trial < 4_000; trial++) {
      const pool = random.chance(0.5) ? parts.slice(0, 5) : parts;
      const hex = Array.from({ length: 1 + random.below(6) }, () => random.pick(pool)).join("");
      const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
      if (random.chance(0.2)) bytes[random.below(bytes.length)] = random.below(256);
      let units: number | undefined;
      try {
        units = decoder.decode(bytes).length;
        valid++;
      } catch {
        // Not valid UTF-8: the gate has to see it as well.
      }
      const verdict = scanStructs([content.rawString(bytes)]);
      if (units === undefined) expect(verdict, hex).toMatchObject({ ok: false, code: "gate/malformed" });
      else expect(verdict, hex).toMatchObject({ ok: true, ranges: [{ from: 0, to: units }] });
    }
    expect(valid).toBeGreaterThan(1_000);
    expect(valid).toBeLessThan(3_000);
  });

  it("GATE-15: an embed or format is JSON that can be written back", () => {
    for (const text of ["null", "-0", '{"a":[1,{"b":"]"}]}', String.raw`"\"[\\"`, '"\\ud800"']) {
      expect(codeOf([content.embed(text)])).toBe("accepted");
    }
    for (const text of ["", "undefined", "{", "]", "[1,]", "1e999", '{"a":-1e999}', "\uFEFFnull", "'a'"]) {
      expect(codeOf([content.embed(text)])).toBe("gate/malformed");
    }
  });

  it("GATE-1: a message says where and which client, never the contents", () => {
    const verdict = scanStructs([content.embed('{"password":"hunter2"')]);
    expect(JSON.stringify(verdict)).not.toContain("hunter2");
  });
});

describe("GATE-5: contiguity", () => {
  const scanAt = (known: number, from: number, length: number, overlap: "allow" | "refuse" = "refuse") => {
    const context = { clockOf: () => known, placeOf: () => rootPlace };
    const structs = Array.from({ length }, () => content.any(1));
    return scanUpdate(buildUpdate([{ client: 1, clock: from, structs }]), {
      profile: "shared",
      context,
      overlap,
    });
  };

  it("GATE-5: a block begins where the client's clock stands, or is known as a whole", () => {
    expect(scanAt(3, 3, 2)).toMatchObject({ ok: true, known: false });
    expect(scanAt(3, 4, 1)).toMatchObject({ ok: false, code: "gate/gap", client: 1, clock: 3 });
    expect(scanAt(3, 2, 2)).toMatchObject({ ok: false, code: "gate/overlap", client: 1, clock: 3 });
    expect(scanAt(3, 1, 2)).toMatchObject({ ok: true, known: true, ranges: [{ client: 1, from: 1, to: 3 }] });
    expect(scanAt(3, 0, 2)).toMatchObject({ ok: true, known: true });
  });

  it("GATE-5: an overlap passes where the caller allows it; a gap never does", () => {
    expect(scanAt(3, 2, 2, "allow")).toMatchObject({ ok: true, known: false });
    expect(scanAt(3, 4, 1, "allow")).toMatchObject({ ok: false, code: "gate/gap" });
  });

  it("GATE-5: an update that deletes is not known, though its structs are", () => {
    const context = { clockOf: () => 3, placeOf: () => rootPlace };
    const update = buildUpdate([{ client: 1, clock: 0, structs: [content.any(1)] }], [[1, [[0, 1]]]]);
    expect(scanUpdate(update, { profile: "shared", context })).toMatchObject({
      ok: true,
      known: false,
      deletes: true,
    });
  });

  it("GATE-5: only a gap and an overlap ask for resync", () => {
    expect(["gate/gap", "gate/overlap"].every((code) => isResync(code as "gate/gap"))).toBe(true);
    expect(isResync("gate/origin")).toBe(false);
    expect(isResync("gate/malformed")).toBe(false);
  });
});

describe("GATE-9: the profile append", () => {
  const append = { profile: "append", client: 1 } as const;
  const first = { ...content.any(1), parent: pageRoot };

  it("GATE-9: is one client's chain of values in the one array", () => {
    expect(codeOf([first, { ...content.any(2), origin: [1, 0] }], append)).toBe("accepted");
    expect(codeOf([{ ...content.any(2), origin: [1, 4] }], append, 5)).toBe("accepted");
  });

  it("GATE-9: names everything else", () => {
    expect(codeOf([first], { profile: "append", client: 2 })).toBe("gate/not-owner");
    expect(codeOf([first], { profile: "append" })).toBe("gate/not-owner");
    expect(codeOf([{ ...first, parent: "other" }], append)).toBe("gate/profile");
    expect(codeOf([{ ...first, key: "k" }], append)).toBe("gate/profile");
    expect(codeOf([{ ...content.string("a"), parent: pageRoot }], append)).toBe("gate/profile");
    expect(codeOf([{ ...content.any(1), parent: [1, 0] }], append)).toBe("gate/profile");
    expect(codeOf([{ ...content.any(1), origin: [1, 0] }], append)).toBe("gate/origin");
    expect(codeOf([first, first], append)).toBe("gate/origin");
    expect(codeOf([first, content.any(2), { ...content.any(2), origin: [1, 0] }], append)).not.toBe(
      "accepted",
    );
    expect(codeOf([{ ...content.any(2), origin: [2, 4] }], append, 5)).toBe("gate/origin");
    expect(codeOf([{ ...content.any(2), origin: [1, 3] }], append, 5)).toBe("gate/origin");
    expect(codeOf([{ ...content.any(2), origin: [1, 5] }], append, 5)).toBe("gate/origin");
  });
});

describe("GATE-10: the profile register", () => {
  const register = { profile: "register" } as const;
  const place = { parent: registerRoot, key: registerKey };

  it("GATE-10: is one key of one map", () => {
    expect(
      codeOf(
        [
          { ...content.any(1), ...place },
          { ...content.any(2), origin: [1, 0], key: "" },
        ],
        register,
      ),
    ).toBe("accepted");
    expect(
      codeOf(
        [
          { ...content.deleted(9), ...place },
          { ...content.any(2), origin: [1, 8] },
        ],
        register,
      ),
    ).toBe("accepted");
  });

  it("GATE-10: names everything else", () => {
    expect(codeOf([{ ...content.any(1), ...place, parent: "other" }], register)).toBe("gate/profile");
    expect(codeOf([{ ...content.any(1), ...place, key: "w" }], register)).toBe("gate/profile");
    expect(codeOf([{ ...content.any(1), parent: registerRoot }], register)).toBe("gate/profile");
    expect(codeOf([{ ...content.any(1), parent: [1, 0], key: registerKey }], register)).toBe("gate/profile");
    expect(codeOf([{ ...content.type(1), ...place }], register)).toBe("gate/profile");
    expect(codeOf([{ ...content.any(1, 2), ...place }], register)).toBe("gate/not-canonical");
    expect(
      codeOf(
        [
          { ...content.any(1), ...place },
          { ...content.any(1, 2), origin: [1, 0] },
        ],
        register,
      ),
    ).toBe("gate/not-canonical");
  });
});

describe("GATE-12: places", () => {
  it("GATE-12: are told of new items that do not lie in a root type, in runs", () => {
    const doc = new Y.Doc();
    doc.clientID = 1;
    const outer = doc.getMap("m").set("outer", new Y.Map<unknown>());
    const inner = outer.set("inner", new Y.Text());
    inner.insert(0, "a😀b");
    outer.set("other", 1);
    const verdict = scanUpdate(Y.encodeStateAsUpdate(doc), { profile: "shared", context: emptyContext });
    expect(verdict).toMatchObject({
      ok: true,
      places: [
        { client: 1, from: 1, to: 2, depth: 1, keyed: true },
        { client: 1, from: 2, to: 6, depth: 2, keyed: false },
        { client: 1, from: 6, to: 7, depth: 1, keyed: true },
      ],
    });
  });

  it("GATE-12: follow references to blocks that come later in the bytes", () => {
    const update = buildUpdate([
      {
        client: 2,
        clock: 0,
        structs: [
          { ...content.type(0), parent: [1, 1] },
          { ...content.any(1), parent: [2, 0] },
        ],
      },
      { client: 1, clock: 0, structs: [{ ...content.type(0) }, { ...content.type(0), parent: [1, 0] }] },
    ]);
    expect(scanUpdate(update, { profile: "shared", context: emptyContext })).toMatchObject({
      places: [
        { client: 2, from: 0, to: 1, depth: 2, keyed: false },
        { client: 2, from: 1, to: 2, depth: 3, keyed: false },
        { client: 1, from: 1, to: 2, depth: 1, keyed: false },
      ],
    });
    const limits = { typeDepth: 2 };
    expect(scanUpdate(update, { profile: "shared", context: emptyContext, limits })).toMatchObject({
      code: "gate/depth",
    });
    expect(gateLimits.typeDepth).toBe(4);
  });
});

describe("GATE-1: the scan", () => {
  it("GATE-1: refuses every honest update cut short, and throws on none", () => {
    const doc = new Y.Doc();
    const text = doc.getText("t");
    text.insert(0, "häuser 😀", { bold: true });
    text.insertEmbed(2, { a: [1] });
    doc.getMap("m").set("k", { a: [1, null, "x", 1.5, 2n, true], b: Uint8Array.of(1) });
    doc.getArray("a").push([new Y.Map(), Uint8Array.of(1, 2)]);
    text.delete(1, 2);
    const update = Y.encodeStateAsUpdate(doc);
    const scan = (bytes: Uint8Array) => scanUpdate(bytes, { profile: "shared", context: emptyContext });
    expect(scan(update).ok).toBe(true);
    for (let end = 0; end < update.length; end++) expect(scan(update.subarray(0, end)).ok).toBe(false);
  });

  it("GATE-1: reads a view at an offset, and no byte outside it", () => {
    const update = buildUpdate([{ client: 1, clock: 0, structs: [content.embed('{"a":1}')] }]);
    const padded = encoding.encode((encoder) => {
      encoding.writeUint8Array(encoder, Uint8Array.of(9, 9, 9));
      encoding.writeUint8Array(encoder, update);
      encoding.writeUint8Array(encoder, Uint8Array.of(0, 0));
    });
    const scan = (bytes: Uint8Array) => scanUpdate(bytes, { profile: "shared", context: emptyContext }).ok;
    expect(scan(padded.subarray(3, 3 + update.length))).toBe(true);
    expect(scan(padded.subarray(3))).toBe(false);
  });
});
