import { describe, expect, test } from "vitest";
import { createLedger } from "../../src/edge/room/ledger/ledger.ts";
import { createInMemoryStorage } from "../../src/edge/storage/in-memory-storage.ts";
import { parseDocumentName } from "../../src/protocol/index.ts";
import { editedDocument } from "./documents.ts";
import { admin, alice, bob } from "./ledgers.ts";

/** The updates of a Yjs client that sets a key so often. */
function edits(client: number, count: number): [Uint8Array, ...Uint8Array[]] {
  const { doc, take } = editedDocument(client);
  for (let index = 0; index < count; index++) doc.getMap("m").set("k", index);
  return take() as [Uint8Array, ...Uint8Array[]];
}

function openRoom(storage = createInMemoryStorage()) {
  const ledger = createLedger<undefined>(storage);
  const document = ledger.documentNamed(parseDocumentName("shared"));
  return {
    storage,
    offer: (update: Uint8Array | undefined, grant: typeof alice, isRefill = false) => {
      const refusal = ledger.offer(document, update as Uint8Array, { author: undefined, grant, isRefill });
      ledger.commit();
      return refusal?.code;
    },
    ownerOf: (client: number) => storage.clock(document.id, client)?.owner,
  };
}

describe("what an administrator gives back to a relay that lost it", () => {
  test("OWNER-6: is nobody's until its author goes on with it, and then nobody else's", () => {
    const [first, second, third, fourth] = edits(5, 4);
    const room = openRoom();
    expect(room.offer(first, admin, true)).toBeUndefined();
    expect(room.ownerOf(5)).toBe("");
    // The relay slept or crashed meanwhile.
    const woken = openRoom(room.storage);
    expect(woken.offer(second, admin, true)).toBeUndefined();
    expect(woken.ownerOf(5)).toBe("");
    expect(woken.offer(third, alice)).toBeUndefined();
    expect([woken.ownerOf(5), woken.offer(fourth, bob)]).toEqual(["alice", "gate/not-owner"]);
  });

  test("OWNER-6: does not change whose it is already", () => {
    const [first, second] = edits(5, 2);
    const room = openRoom();
    room.offer(first, alice);
    room.offer(second, admin, true);
    expect(room.ownerOf(5)).toBe("alice");
  });
});
