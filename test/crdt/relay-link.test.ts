import { describe, expect, it } from "vitest";
import {
  creditEveryBytes,
  creditUnsaidBytes,
  creditWithinMs,
  type DocumentMessage,
  encodeDocumentMessage,
  encodeFrame,
  maxFrameBytes,
  maxUpdateBytes,
  tokenScopes,
} from "../../src/protocol/index.ts";
import { settle } from "./fake-relay.ts";
import { follow, online, setUp, update } from "./link-harness.ts";

const step1: DocumentMessage = { type: "step1", stateVector: new Uint8Array([0]) };

describe("joining", () => {
  it("LINK-1: the first frame is the join, with the subprotocol, the version and the room's cursor", () => {
    const { relay, link, state, heard } = setUp();
    state.cursor = { epoch: "e1", sequence: 9 };
    link.connect();
    link.connect();
    expect([relay.sockets.length, link.status.get()]).toEqual([1, "connecting"]);
    const { last } = relay;
    expect([last.url, last.protocols]).toEqual([
      "ws://relay.example/v1/rooms/team/socket",
      ["flockstate.v1"],
    ]);
    last.open();
    expect(last.frames).toEqual([[{ type: "join", version: 1, epoch: "e1", sequence: 9 }]]);
    last.send({ type: "welcome", version: 1, epoch: "e1", sequence: 12, resumed: true, presence: 3 });
    last.send(
      { type: "name", channel: 4, name: "shared" },
      { channel: 4, message: step1 },
      { type: "cursor", sequence: 12 },
    );
    expect(link.status.get()).toBe("connecting");
    last.send({ type: "joined" }, { type: "presences", entries: [] });
    expect(link.status.get()).toBe("online");
    expect(heard).toEqual([
      "welcomed e1 true",
      "message shared 4",
      "advanced e1 12",
      "joined",
      "presences 0",
    ]);
  });

  it("LINK-1: a cursor that does not hold counts from zero in the new epoch", () => {
    const { relay, link, state, heard } = setUp();
    state.cursor = { epoch: "old", sequence: 900 };
    link.connect();
    relay.last.open();
    relay.last.send(
      { type: "welcome", version: 1, epoch: "new", sequence: 3, resumed: false, presence: 1 },
      { type: "cursor", sequence: 3 },
    );
    expect(heard).toEqual(["welcomed new false", "advanced new 3"]);
  });

  it("LINK-2: presence is said once the join is done, and again after a reconnection", async () => {
    const { relay, link, clock } = setUp();
    link.announce('{"a":1}');
    link.connect();
    relay.last.join();
    await settle();
    expect(relay.last.sent).toContainEqual({ type: "presence", state: '{"a":1}' });
    link.announce('{"a":2}');
    await settle();
    relay.last.close(1006);
    clock.runNext();
    relay.last.join();
    await settle();
    expect(relay.sockets).toHaveLength(2);
    expect(relay.last.sent.filter(({ type }) => type === "presence")).toEqual([
      { type: "presence", state: '{"a":2}' },
    ]);
  });
});

describe("uploads", () => {
  it("LINK-3: what is sent in one turn is one frame with one mark, and is acknowledged together", async () => {
    const { relay, link } = online();
    const outcomes = follow(link.upload("shared", update()), link.upload("register/a.b.c", update()));
    link.send("shared", encodeDocumentMessage(step1));
    await settle();
    expect(relay.last.frames.at(-1)?.map(({ type }) => type)).toEqual([
      "name",
      "document",
      "name",
      "document",
      "document",
      "mark",
    ]);
    expect(relay.last.sent.flatMap((each) => (each.type === "document" ? [each.name] : []))).toEqual([
      "shared",
      "register/a.b.c",
      "shared",
    ]);
    expect([relay.last.mark, outcomes]).toEqual([1, []]);
    relay.last.send({ type: "acknowledge", number: 1 });
    await settle();
    expect(outcomes).toEqual(["0 acknowledged", "1 acknowledged"]);
  });

  it("LINK-3: a frame without uploads carries no mark; marks rise by one", async () => {
    const { relay, link } = online();
    link.send("shared", encodeDocumentMessage(step1));
    await settle();
    expect(relay.last.mark).toBe(0);
    for (const mark of [1, 2]) {
      void link.upload("shared", update());
      await settle();
      expect(relay.last.mark).toBe(mark);
    }
  });

  it("LINK-3: an acknowledgement answers everything up to it, and nothing after it", async () => {
    const { relay, link } = online();
    const first = link.upload("shared", update());
    await settle();
    const outcomes = follow(first, link.upload("shared", update()));
    await settle();
    relay.last.send({ type: "acknowledge", number: 1 });
    await settle();
    expect(outcomes).toEqual(["0 acknowledged"]);
    relay.last.send({ type: "acknowledge", number: 2 });
    await settle();
    expect(outcomes).toEqual(["0 acknowledged", "1 acknowledged"]);
  });

  it("LINK-4: a refusal reaches the uploads of its document alone, by the channel that either side made up", async () => {
    const { relay, link } = online();
    relay.last.send({ type: "name", channel: 5, name: "shared" });
    const outcomes = follow(
      link.upload("shared", update()),
      link.upload("register/a.b.c", update()),
      link.upload("lane/a.b.c/0-1", update()),
    );
    await settle();
    const made = relay.last.sent.flatMap((each) => (each.type === "name" ? [each.channel] : []));
    expect(made).toHaveLength(2);
    relay.last.send(
      { type: "refuse", channel: 5, code: "gate/depth", message: "too deep" },
      { type: "refuse", channel: made[1] as number, code: "gate/gap", message: "a gap" },
      { type: "acknowledge", number: 1 },
    );
    await settle();
    expect(outcomes).toEqual(["0 refused gate/depth", "1 acknowledged", "2 refused gate/gap"]);
  });

  it("LINK-4: a refusal belongs to the next acknowledgement, not to a later one", async () => {
    const { relay, link } = online();
    const first = link.upload("shared", update());
    await settle();
    const outcomes = follow(first, link.upload("shared", update()));
    await settle();
    const [name] = relay.last.sent.filter((each) => each.type === "name");
    relay.last.send(
      { type: "refuse", channel: (name as { channel: number }).channel, code: "gate/depth", message: "" },
      { type: "acknowledge", number: 1 },
      { type: "acknowledge", number: 2 },
    );
    await settle();
    expect(outcomes).toEqual(["0 refused gate/depth", "1 acknowledged"]);
  });

  it("LINK-5: a connection that goes loses what it had not acknowledged; offline all is lost at once", async () => {
    const { relay, link } = online();
    const outcomes = follow(link.upload("shared", update()));
    await settle();
    relay.last.close(1006);
    await settle();
    expect(outcomes).toEqual(["0 lost"]);
    expect(await link.upload("shared", update())).toEqual({ kind: "lost" });
    link.send("shared", update());
    link.announce("{}");
    expect(relay.last.frames).toHaveLength(2);
  });

  it("LINK-6: an update past the limit is refused here; frames stay within 1 MiB", async () => {
    const { relay, link } = online();
    expect(await link.upload("shared", new Uint8Array(maxUpdateBytes + 1))).toMatchObject({
      kind: "refused",
      code: "protocol/update-too-large",
    });
    const sizes = [maxUpdateBytes - 8, 10, 700_000, 300_000, 100_000, maxUpdateBytes - 8, 1];
    const outcomes = follow(...sizes.map((size, index) => link.upload(`shared/d${index % 3}`, update(size))));
    for (let mark = 1; mark <= sizes.length; mark++) {
      await settle();
      relay.last.send({ type: "acknowledge", number: mark });
    }
    await settle();
    const { frameBytes, frames } = relay.last;
    expect(Math.max(...frameBytes)).toBeLessThanOrEqual(maxFrameBytes);
    const documents = frames.flat().filter((each) => each.type === "document");
    expect(documents.map((each) => each.type === "document" && each.name)).toEqual(
      sizes.map((_, index) => `shared/d${index % 3}`),
    );
    expect(outcomes).toHaveLength(sizes.length);
    expect(outcomes.every((outcome) => outcome.endsWith("acknowledged"))).toBe(true);
  });

  it("LINK-6: a document keeps one made-up channel, named anew in each frame, until the relay numbers it", async () => {
    const { relay, link } = online();
    const channels = new Set<number>();
    for (let turn = 0; turn < 5; turn++) {
      void link.upload("shared", update());
      await settle();
      const [named] = relay.last.frames.at(-1) ?? [];
      if (named?.type === "name") channels.add(named.channel);
    }
    expect(channels.size).toBe(1);
    relay.last.send({ type: "name", channel: 3, name: "shared" });
    void link.upload("shared", update());
    await settle();
    expect(relay.last.frames.at(-1)?.map(({ type }) => type)).toEqual(["document", "mark"]);
  });
});

describe("credits", () => {
  const credits = ({ sent }: ReturnType<typeof online>["relay"]["last"]) =>
    sent.flatMap((each) => (each.type === "credit" ? [each.bytes] : []));

  /** A frame of exactly so many bytes, from the relay. */
  function send({ relay }: ReturnType<typeof online>, bytes: number): void {
    relay.last.sendBytes(encodeFrame([{ channel: 7, payload: update(bytes - 11) }]));
  }

  it("LINK-13: the relay is told how many bytes of frames were taken, at least each 128 KiB", async () => {
    const made = online();
    made.relay.last.send({ type: "name", channel: 7, name: "shared" });
    for (let count = 0; count < 8; count++) {
      send(made, 60_000);
      await settle();
    }
    const told = credits(made.relay.last);
    expect(told.map((bytes) => Math.floor(bytes / 60_000))).toEqual([3, 6]);
    expect(told[0]).toBeGreaterThanOrEqual(creditEveryBytes);
    // What the join and the name took counts as well.
    expect((told[0] ?? 0) % 60_000).toBeGreaterThan(0);
  });

  it("LINK-13: also while the join goes on, and anew for each connection", async () => {
    const made = setUp();
    made.link.connect();
    for (const round of [1, 2]) {
      made.relay.last.open();
      made.relay.last.send(
        { type: "welcome", version: 1, epoch: "e", sequence: 9, resumed: true, presence: 1 },
        { type: "name", channel: 7, name: "shared" },
      );
      send(made, creditEveryBytes);
      await settle();
      expect(credits(made.relay.last)).toHaveLength(1);
      expect(credits(made.relay.last)[0]).toBeLessThan(creditEveryBytes + 200);
      made.relay.last.close(1006);
      if (round === 1) made.clock.runNext();
    }
  });

  it("LINK-13: a frame that goes anyway takes a credit along once it is worth it", async () => {
    const made = online();
    made.relay.last.send({ type: "name", channel: 7, name: "shared" });
    for (const [bytes, parts] of [
      [1_000, ["document", "mark"]],
      [40_000, ["document", "credit", "mark"]],
      [1_000, ["document", "mark"]],
    ] as const) {
      send(made, bytes);
      void made.link.upload("shared", update());
      await settle();
      expect(made.relay.last.frames.at(-1)?.map(({ type }) => type)).toEqual(parts);
    }
  });

  it("LINK-13: what is past 8 KiB is told within 250 ms, once, and at rest there is no timer for it", async () => {
    const made = online();
    made.relay.last.send({ type: "name", channel: 7, name: "shared" });
    const timers = () => made.clock.delays().length;
    const atRest = timers();
    send(made, creditUnsaidBytes / 2);
    made.clock.advance(10 * creditWithinMs);
    await settle();
    expect(credits(made.relay.last)).toEqual([]);
    expect(timers()).toBe(atRest);
    for (let count = 0; count < 5; count++) send(made, creditUnsaidBytes);
    expect(timers()).toBe(atRest + 1);
    made.clock.advance(creditWithinMs - 1);
    await settle();
    expect(credits(made.relay.last)).toEqual([]);
    made.clock.advance(1);
    expect(credits(made.relay.last)).toHaveLength(1);
    expect(credits(made.relay.last)[0]).toBeGreaterThan(5.5 * creditUnsaidBytes);
    made.clock.advance(10 * creditWithinMs);
    expect(credits(made.relay.last)).toHaveLength(1);
    expect(timers()).toBe(atRest);
  });

  it("LINK-13: a credit that went along with a frame is not told again", async () => {
    const made = online();
    made.relay.last.send({ type: "name", channel: 7, name: "shared" });
    send(made, 2 * creditUnsaidBytes);
    void made.link.upload("shared", update());
    await settle();
    expect(credits(made.relay.last)).toHaveLength(1);
    made.clock.advance(10 * creditWithinMs);
    expect(credits(made.relay.last)).toHaveLength(1);
  });

  it("LINK-13: a connection that is gone gives no credit, and none on behalf of the next", async () => {
    const made = online();
    made.relay.last.send({ type: "name", channel: 7, name: "shared" });
    send(made, 2 * creditUnsaidBytes);
    made.link.disconnect();
    made.link.connect();
    made.relay.last.join();
    made.clock.advance(creditWithinMs);
    expect(made.relay.sockets.flatMap(credits)).toEqual([]);
  });

  it("LINK-13: a frame counts once it is handled: one that ends the connection does not", async () => {
    const made = online();
    made.relay.last.sendBytes(encodeFrame([{ channel: 9, payload: update(creditEveryBytes) }]));
    await settle();
    expect(credits(made.relay.sockets[0] as typeof made.relay.last)).toEqual([]);
  });
});

describe("what may be sent", () => {
  it("LINK-14: of long uploads at most about 1 MiB is on its way unanswered; the rest waits in order", async () => {
    const { relay, link } = online();
    const outcomes = follow(...Array.from({ length: 30 }, () => link.upload("shared", update(200_000))));
    const documents = () => relay.last.sent.filter(({ type }) => type === "document").length;
    await settle();
    expect(documents()).toBe(5);
    for (let mark = 1; documents() < 30; mark++) {
      relay.last.send({ type: "acknowledge", number: mark });
      await settle();
      expect(documents() - outcomes.length).toBeLessThanOrEqual(5);
    }
    relay.last.send({ type: "acknowledge", number: relay.last.mark });
    await settle();
    expect(outcomes).toEqual(Array.from({ length: 30 }, (_, index) => `${index} acknowledged`));
  });

  it("LINK-14: what waited when the connection went is lost with the rest, and goes out no more", async () => {
    const { relay, link, clock } = online();
    const outcomes = follow(...Array.from({ length: 8 }, () => link.upload("shared", update(400_000))));
    await settle();
    relay.last.close(1006);
    await settle();
    expect(outcomes).toEqual(Array.from({ length: 8 }, (_, index) => `${index} lost`));
    clock.runNext();
    relay.last.join();
    await settle();
    expect(relay.last.sent.filter(({ type }) => type === "document")).toEqual([]);
  });

  it("LINK-15: what the grant does not allow is not sent, and refused here", async () => {
    const { relay, link } = setUp();
    link.announce("{}");
    link.connect();
    relay.last.join({ scopes: ["read"] });
    const outcomes = follow(link.upload("shared", update()), link.upload("register/anon.a.b", update()));
    await settle();
    expect(outcomes).toEqual(["0 refused edge/forbidden", "1 refused edge/forbidden"]);
    expect(relay.last.sent.map(({ type }) => type)).toEqual(["join"]);
  });

  it("LINK-15: a grant that allows more has everything offered again", async () => {
    const { relay, link, heard } = setUp();
    link.announce("{}");
    link.connect();
    relay.last.join({ scopes: ["read"] });
    relay.last.send({ type: "granted", principal: "anon", scopes: ["read"], expiresAt: undefined });
    expect(heard).not.toContain("released");
    relay.last.send({ type: "granted", principal: "anon", scopes: tokenScopes, expiresAt: undefined });
    expect(heard.at(-1)).toBe("released");
    const outcomes = follow(link.upload("shared", update()));
    await settle();
    expect(relay.last.sent.map(({ type }) => type)).toEqual(["join", "presence", "name", "document", "mark"]);
    relay.last.send({ type: "acknowledge", number: 1 });
    await settle();
    expect(outcomes).toEqual(["0 acknowledged"]);
  });

  it("LINK-15: a presence that is refused is told", () => {
    const { relay, problems } = online();
    relay.last.send({ type: "refuse", channel: 0, code: "edge/forbidden", message: "no presence" });
    expect(problems).toMatchObject([{ code: "crdt/refused", details: { code: "edge/forbidden" } }]);
  });

  it("LINK-16: while the room is halted registers go and the rest waits; at the release all is offered again", async () => {
    const { relay, link, heard } = online();
    const sent = () => relay.last.sent.flatMap((each) => (each.type === "name" ? [each.name] : []));
    const before = follow(link.upload("shared", update()));
    await settle();
    relay.last.send(
      { type: "refuse", channel: 2 ** 30, code: "edge/halted", message: "halted" },
      { type: "acknowledge", number: 1 },
      { type: "halted", halted: true },
    );
    expect(link.halted.get()).toBe(true);
    const names = ["shared", "lane/anon.a.b/0-1", "register/anon.a.b"];
    const outcomes = follow(...names.map((name) => link.upload(name, update())));
    await settle();
    expect([before, outcomes, sent()]).toEqual([
      ["0 lost"],
      ["0 lost", "1 lost"],
      ["shared", "register/anon.a.b"],
    ]);
    relay.last.send({ type: "halted", halted: false });
    expect([heard, link.halted.get()]).toEqual([["released"], false]);
  });

  it("LINK-16: a connection that is gone is not known to be halted", () => {
    const { relay, link, clock, heard } = online();
    relay.last.send({ type: "halted", halted: true });
    relay.last.close(1006);
    expect(link.halted.get()).toBe(false);
    clock.runNext();
    relay.last.open();
    relay.last.send(
      { type: "welcome", version: 1, epoch: "e", sequence: 0, resumed: true, presence: 1 },
      { type: "granted", principal: "anon", scopes: tokenScopes, expiresAt: undefined },
      { type: "halted", halted: true },
      { type: "joined" },
    );
    expect([link.halted.get(), heard.includes("released")]).toEqual([true, false]);
  });
});

describe("trouble", () => {
  it.each<[string, Uint8Array, string]>([
    ["bytes that are no frame", new Uint8Array([1, 200]), "protocol/malformed-frame"],
    [
      "a control message that is none",
      encodeFrame([{ channel: 0, payload: new Uint8Array([99]) }]),
      "protocol/malformed-frame",
    ],
    [
      "a channel that was not named",
      encodeFrame([{ channel: 8, payload: update() }]),
      "protocol/unknown-channel",
    ],
    ["a frame past 1 MiB", new Uint8Array(maxFrameBytes + 1), "protocol/frame-too-large"],
  ])("LINK-7: %s from the relay is reported, and the link connects anew", (_, frame, code) => {
    const { relay, link, clock, problems, heard } = online();
    relay.last.sendBytes(frame);
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect([relay.last.closed, heard, link.status.get()]).toEqual([true, ["dropped"], "connecting"]);
    clock.runNext();
    expect(relay.sockets).toHaveLength(2);
  });

  it("LINK-8: after a rejoin from within a frame, the rest of the frame is not heard", () => {
    const { relay, link, hooks, heard } = online();
    hooks.message = () => link.rejoin();
    relay.last.send(
      { type: "name", channel: 4, name: "shared" },
      { channel: 4, message: step1 },
      { channel: 4, message: step1 },
      { type: "cursor", sequence: 50 },
      { type: "joined" },
    );
    expect(heard).toEqual(["message shared 4", "dropped"]);
    expect(link.status.get()).toBe("connecting");
  });

  it("LINK-9: reconnections back off, doubled up to 15 s and jittered within the upper half", () => {
    for (const [roll, share] of [
      [0, 0.5],
      [255, 1],
    ] as const) {
      const { relay, link, clock } = setUp({ roll });
      link.connect();
      const waits: number[] = [];
      for (let attempt = 0; attempt < 9; attempt++) {
        relay.last.close(1006);
        const [delay = 0] = clock.delays();
        waits.push(delay);
        clock.advance(delay);
      }
      expect(relay.sockets).toHaveLength(10);
      expect(waits).toEqual(
        [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000].map((ms) => ms * share),
      );
    }
  });

  it("LINK-9: a join that succeeds begins the back-off anew", () => {
    const { relay, link, clock } = setUp();
    link.connect();
    for (let attempt = 0; attempt < 4; attempt++) {
      relay.last.close(1006);
      clock.runNext();
    }
    relay.last.join();
    relay.last.close(1006);
    expect(clock.delays()).toEqual([250]);
  });

  it.each([4400, 4404, 4406, 4409, 4413, 4499])(
    "LINK-10: close code %i stops the link and is reported",
    (code) => {
      const { relay, link, clock, problems, heard } = online();
      relay.last.send({ type: "problem", code: "protocol/not-joined", message: "no" });
      relay.last.close(code, "why");
      expect(problems.map((problem) => [problem.code, problem.details])).toEqual([
        ["crdt/refused", { code: "protocol/not-joined" }],
        ["crdt/refused", { closeCode: code, code: "why" }],
      ]);
      expect([heard, link.status.get(), clock.delays()]).toEqual([["dropped"], "offline", []]);
      link.connect();
      expect(relay.sockets).toHaveLength(2);
    },
  );

  it.each([1000, 1006, 1011, 4503])("LINK-10: after close code %i the link connects again", (code) => {
    const { relay, link, problems, clock } = online();
    relay.last.close(code);
    expect([problems, link.status.get()]).toEqual([[], "connecting"]);
    clock.runNext();
    expect(relay.sockets).toHaveLength(2);
  });

  it("LINK-11: a quiet connection is asked for a sign of life after 20 s, and given up after 45 s", async () => {
    const { relay, clock, heard, link } = online();
    clock.advance(20_000);
    await settle();
    expect(relay.last.sent.map(({ type }) => type)).not.toContain("ping");
    clock.advance(5_000);
    await settle();
    expect(relay.last.sent.map(({ type }) => type)).toContain("ping");
    relay.last.send({ type: "pong" });
    clock.advance(40_000);
    expect(heard).toEqual([]);
    clock.advance(10_000);
    expect([heard, relay.sockets[0]?.closed]).toEqual([["dropped"], true]);
    expect(link.status.get()).toBe("connecting");
  });

  it("LINK-11: a socket that never opens is given up too", () => {
    const { relay, clock, link } = setUp();
    link.connect();
    clock.advance(60_000);
    expect([relay.sockets[0]?.closed, relay.sockets.length]).toEqual([true, 2]);
  });

  it("LINK-12: what a turn gathered for a connection that is gone does not go out on the next one", async () => {
    const { relay, link } = online();
    const outcomes = follow(link.upload("shared", update()));
    link.disconnect();
    link.connect();
    await settle();
    expect([relay.sockets.map(({ frames }) => frames.length), outcomes]).toEqual([[1, 0], ["0 lost"]]);
  });

  it("LINK-12: disconnecting leaves no timer, and late events of the old socket are not heard", () => {
    const { relay, link, clock, heard } = online();
    const old = relay.last;
    link.disconnect();
    expect([old.closed, heard, link.status.get(), clock.delays()]).toEqual([
      true,
      ["dropped"],
      "offline",
      [],
    ]);
    old.close(4400);
    old.send({ type: "cursor", sequence: 9 });
    expect(heard).toEqual(["dropped"]);
    link.connect();
    relay.last.close(1006);
    expect(clock.delays()).toHaveLength(1);
    link.disconnect();
    expect([clock.delays(), link.status.get()]).toEqual([[], "offline"]);
    clock.advance(60_000);
    expect(relay.sockets).toHaveLength(2);
  });
});
