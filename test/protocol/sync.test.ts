import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import {
  type DocumentMessage,
  decodeClocks,
  decodeDocumentMessage,
  emptyStateVector,
  emptyUpdate,
  encodeClocks,
  encodeDocumentMessage,
} from "../../src/protocol/index.ts";
import { outcome } from "./coded.ts";

const bytes = fc.uint8Array({ maxLength: 60 });
const message: fc.Arbitrary<DocumentMessage> = fc.oneof(
  bytes.map((stateVector) => ({ type: "step1" as const, stateVector })),
  fc.record({ type: fc.constantFrom("step2", "update", "awareness"), update: bytes }),
  fc.constant({ type: "query-awareness" as const }),
  fc.constant({ type: "drop" as const }),
);
const codes = ["protocol/malformed-frame"] as const;

describe("document messages", () => {
  it("FRAME-7: y-websocket's messages are read back as they were", () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeDocumentMessage(encodeDocumentMessage(sent))).toEqual(sent);
      }),
    );
  });

  it("FRAME-7: what is cut short, too long or unknown is malformed", () => {
    fc.assert(
      fc.property(message, fc.nat(), (sent, seed) => {
        const encoded = encodeDocumentMessage(sent);
        const cut = encoded.subarray(0, seed % encoded.length);
        expect(outcome(() => decodeDocumentMessage(cut), codes)).toBe("refused");
        expect(outcome(() => decodeDocumentMessage(new Uint8Array([...encoded, 0])), codes)).toBe("refused");
      }),
    );
    for (const unknown of [[2], [4], [0, 3, 0], [100]]) {
      expect(outcome(() => decodeDocumentMessage(new Uint8Array(unknown)), codes)).toBe("refused");
    }
  });

  it("FRAME-7: whatever the bytes, a message is taken or refused with a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (encoded) => {
        expect(outcome(() => decodeDocumentMessage(encoded), codes)).not.toBe("failed");
      }),
      { numRuns: 1_000 },
    );
  });

  it("FRAME-26: a drop is one byte that no message of y-websocket begins with", () => {
    expect([...encodeDocumentMessage({ type: "drop" })]).toEqual([64]);
    expect(outcome(() => decodeDocumentMessage(new Uint8Array([64, 0])), codes)).toBe("refused");
  });

  it("FRAME-8: clocks are what Yjs writes as a state vector", () => {
    const document = new Y.Doc();
    for (const client of [7, 4_000_000_000, 1]) {
      const other = new Y.Doc();
      other.clientID = client;
      other.getArray("a").push([client, client]);
      Y.applyUpdate(document, Y.encodeStateAsUpdate(other));
    }
    const stateVector = Y.encodeStateVector(document);
    expect(encodeClocks(decodeClocks(stateVector))).toEqual(stateVector);
    expect(Object.fromEntries(decodeClocks(stateVector))).toEqual({ 1: 2, 7: 2, 4000000000: 2 });
    const empty = new Y.Doc();
    expect(Y.encodeStateVector(empty)).toEqual(emptyStateVector);
    expect(Y.encodeStateAsUpdate(empty)).toEqual(emptyUpdate);
  });
});
