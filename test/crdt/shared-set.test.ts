import { expect, it } from "vitest";
import type { SharedDocument } from "../../src/crdt/shared/shared-document.ts";
import { createSharedSet } from "../../src/crdt/shared/shared-set.ts";
import { parseDocumentName } from "../../src/protocol/index.ts";

const name = parseDocumentName("shared/late");

/** What a set asks of its documents; the documents themselves have tests of their own. */
function createRecorder() {
  const heard: string[] = [];
  const document = {
    name: name.name,
    pending: 2,
    receiveFromRelay(payload: Uint8Array) {
      heard.push(`message ${payload[0]}`);
      return { result: "applied" } as const;
    },
    joined: (epoch: string) => void heard.push(`joined ${epoch}`),
    dropped: () => void heard.push("dropped"),
    confirm: async () => void heard.push("confirmed"),
  } as unknown as SharedDocument;
  return { heard, document };
}

function setUp() {
  const { heard, document } = createRecorder();
  const openings: { resolve(document: SharedDocument): void; reject(failure: Error): void }[] = [];
  const failures: unknown[] = [];
  const received: string[] = [];
  const set = createSharedSet({
    openDocument: () => new Promise((resolve, reject) => openings.push({ resolve, reject })),
    onReceived: (of, { result }) => received.push(`${of.name} ${result}`),
    onFailed: (failure) => failures.push(failure),
  });
  return { set, openings, failures, received, heard, document };
}

const message = (number: number): Uint8Array => new Uint8Array([number]);

it("DOCS-4: what arrives for a document that is not open waits for it, and then joins", async () => {
  const { set, openings, received, heard, document } = setUp();
  set.joined("epoch");
  set.receive(name, message(1));
  set.receive(name, message(2));
  expect([openings.length, set.get(name.name)]).toEqual([1, undefined]);
  openings[0]?.resolve(document);
  await set.confirm();
  set.receive(name, message(3));
  expect(heard).toEqual(["message 1", "message 2", "joined epoch", "confirmed", "message 3"]);
  expect(received).toEqual(Array(3).fill("shared/late applied"));
  expect([set.pending, [...set]]).toEqual([2, [document]]);
});

it("DOCS-4: while a document can't be opened nothing that arrived counts as stored, and the next message tries again", async () => {
  const { set, openings, failures, heard, document } = setUp();
  set.receive(name, message(1));
  const early = expect(set.confirm()).rejects.toThrow("no space");
  openings[0]?.reject(new Error("no space"));
  await early;
  await expect(set.confirm()).rejects.toMatchObject({ code: "crdt/storage-failed" });
  expect(failures).toHaveLength(1);
  set.receive(name, message(2));
  openings[1]?.resolve(document);
  await set.confirm();
  expect(heard).toEqual(["message 1", "message 2", "confirmed"]);
});
