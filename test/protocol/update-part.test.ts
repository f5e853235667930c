import fc from "fast-check";
import { expect, it } from "vitest";
import {
  encodeDocumentMessage,
  encodeFrame,
  updatePartBytes,
  writeUpdatePart,
} from "../../src/protocol/index.ts";

it("FRAME-1: an update that is written in place is the part that an encoder makes", () => {
  const channel = fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 2 ** 31 - 1 }));
  fc.assert(
    fc.property(channel, fc.uint8Array({ maxLength: 20_000, size: "max" }), (number, update) => {
      const encoded = encodeFrame([
        { channel: number, payload: encodeDocumentMessage({ type: "update", update }) },
      ]);
      const bytes = updatePartBytes(number, update.length);
      const written = new Uint8Array(bytes + 2);
      expect(writeUpdatePart(written, 1, { channel: number, update })).toBe(bytes + 1);
      expect(written).toEqual(new Uint8Array([0, ...encoded, 0]));
    }),
  );
});
