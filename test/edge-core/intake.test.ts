import { describe, expect, test } from "vitest";
import { createByPrincipal } from "../../src/edge/room/pacing/by-principal.ts";
import { encodeDocumentMessage } from "../../src/protocol/index.ts";
import { editedDocument, pageOf, pageUpdates } from "./documents.ts";
import { createHarness, grantOf, type Harness, type Peer } from "./room-harness.ts";
import { frameOf, itemsOf, updateFrame } from "./wire.ts";

const limited = { code: 4529, reason: "edge/rate-limited" };
const mallory = grantOf("mallory");
const alice = grantOf("alice");
const notAnUpdate = new Uint8Array([1, 2, 3]);
const [first] = pageUpdates(7, ["one"]) as [Uint8Array];

const joinAs = (room: Harness, grant = mallory): Peer => room.join(undefined, undefined, grant);

/** Sends refused updates, a frame each, until the socket is closed; gives how many were taken. */
function flood(peer: Peer, frame: Uint8Array): number {
  let sent = 0;
  for (; !peer.closed && sent < 10_000; sent++) peer.send(frame);
  return sent;
}

describe("refusals", () => {
  test("RATE-5: past ten seconds' worth of refusals the socket closes with 4529, and what came before is kept", () => {
    const room = createHarness(undefined, { limits: { refusalsPerSecond: 5 } });
    const peer = joinAs(room);
    const other = joinAs(room, alice);
    peer.send(updateFrame(pageOf(7, "mallory.agent.x7"), [first]));
    expect(flood(peer, updateFrame("shared", [notAnUpdate]))).toBe(52);
    expect(peer.closed).toEqual(limited);
    expect(itemsOf(peer.items, "problem").at(-1)?.message).toContain("were refused a second");
    expect(room.storage.head()).toBe(1);
    other.send(updateFrame(pageOf(7, "alice.agent.x7"), [first]));
    room.clock.advance(10);
    expect(room.storage.head()).toBe(2);
    expect(other.closed).toBeUndefined();
  });

  test("RATE-5: the refusals of one frame count like those of many", () => {
    const room = createHarness(undefined, { limits: { refusalsPerSecond: 5 } });
    const peer = joinAs(room);
    peer.send(
      updateFrame(
        "shared",
        Array.from({ length: 60 }, () => notAnUpdate),
      ),
    );
    expect(peer.closed).toEqual(limited);
  });

  test("RATE-5: so do presences without the scope, and faults that close a socket of either kind", () => {
    const room = createHarness(undefined, { limits: { refusalsPerSecond: 2 } });
    const reader = joinAs(room, grantOf("carol", "read"));
    expect(flood(reader, frameOf({ type: "presence", state: "{}" }))).toBe(22);
    const update = encodeDocumentMessage({ type: "update", update: notAnUpdate });
    const reasons = Array.from({ length: 25 }, () => {
      const stock = room.connect("shared", mallory);
      stock.send(update);
      return stock.closed?.reason;
    });
    expect(reasons.filter((reason) => reason?.startsWith("gate/"))).toHaveLength(22);
    expect(reasons.at(-1)).toBe("edge/rate-limited");
  });

  test("RATE-6: a gap counts a tenth, and the document goes on once it is filled", () => {
    const room = createHarness(undefined, { limits: { refusalsPerSecond: 5 } });
    const peer = joinAs(room);
    const source = editedDocument(5);
    for (const word of ["one ", "two "]) source.doc.getText("t").insert(0, word);
    const [one, two] = source.take() as [Uint8Array, Uint8Array];
    for (let sent = 0; sent < 400; sent++) peer.send(updateFrame("shared", [two]));
    peer.send(updateFrame("shared", [one]));
    peer.send(updateFrame("shared", [two]));
    expect(peer.closed).toBeUndefined();
    expect(room.storage.head()).toBe(2);
    const late = joinAs(room, alice);
    const gap = pageUpdates(7, ["one", "two"])[1] as Uint8Array;
    expect(flood(late, updateFrame(pageOf(7, "alice.agent.x7"), [gap]))).toBe(502);
  });
});

describe("principals", () => {
  test("RATE-7: whoever was closed for its rate is shut out for a while, by each kind of socket; others are not", () => {
    const room = createHarness();
    flood(joinAs(room), updateFrame("shared", [notAnUpdate]));
    expect(room.connect(undefined, mallory).closed).toEqual(limited);
    expect(room.connect("shared", mallory).closed).toEqual(limited);
    expect(joinAs(room, alice).closed).toBeUndefined();
    room.clock.advance(2_499);
    expect(joinAs(room).closed).toEqual(limited);
    room.clock.advance(1);
    expect(joinAs(room).closed).toBeUndefined();
  });

  test("RATE-7: a socket that is new brings no new rate, of refusals, messages or bytes", () => {
    const again = (limits: object, frame: Uint8Array): number[] => {
      const room = createHarness(undefined, { limits });
      return Array.from({ length: 3 }, () => {
        const sent = flood(joinAs(room), frame);
        room.clock.advance(2_500);
        return sent;
      });
    };
    expect(again({ refusalsPerSecond: 4 }, updateFrame("shared", [notAnUpdate]))).toEqual([42, 11, 11]);
    expect(again({ messagesPerSecond: 10 }, frameOf({ type: "ping" }))).toEqual([101, 25, 25]);
    const bytes = again({ bytesInPerSecond: 100 }, frameOf({ type: "ping" }));
    expect(bytes[1]).toBeLessThan((bytes[0] as number) / 3);
  });

  test("RATE-8: what a closed socket goes on sending is dropped unread", () => {
    const counted: string[] = [];
    const observer = { count: (name: string) => counted.push(name), gauge() {}, wrote() {}, log() {} };
    const room = createHarness(undefined, { observer });
    const peer = joinAs(room);
    flood(peer, updateFrame("shared", [notAnUpdate]));
    const before = counted.length;
    for (let sent = 0; sent < 100; sent++) peer.send(updateFrame(pageOf(7, "mallory.agent.x7"), [first]));
    expect(counted.length).toBe(before);
    room.clock.advance(10);
    expect(room.storage.head()).toBe(0);
  });

  test("RATE-9: of a thousand principals at most something is kept; those at rest are forgotten first", () => {
    const kept = createByPrincipal<{ rests: boolean }>(
      () => ({ rests: true }),
      ({ rests }) => rests,
    );
    kept.of("owes").rests = false;
    for (let number = 0; number < 5_000; number++) kept.of(`rests-${number}`);
    expect(kept.known("owes")).toBeDefined();
    expect(kept.known("rests-0")).toBeUndefined();
    for (let number = 0; number < 5_000; number++) kept.of(`owes-${number}`).rests = false;
    const left = Array.from({ length: 5_000 }, (_, number) => kept.known(`owes-${number}`));
    expect(left.filter((each) => each !== undefined).length).toBeLessThanOrEqual(1_024);
    expect(left.at(-1)).toBeDefined();
  });
});
