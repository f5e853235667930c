import { describe, expect, it } from "vitest";
import type { FlockError } from "../../src/base/index.ts";
import { maxTokenBytes, tokenScopes } from "../../src/protocol/index.ts";
import { settle } from "./fake-relay.ts";
import { follow, online as join, setUp, update } from "./link-harness.ts";

/** A provider that gives token-1, token-2 and so on. */
function counting() {
  const provider = { asked: 0, token: () => `token-${++provider.asked}` };
  return provider;
}

async function connected(token: () => string | Promise<string>, options?: { roll?: number }) {
  const made = setUp({ ...options, token });
  made.link.connect();
  await settle();
  return made;
}

async function online(token: () => string | Promise<string>, expiresAt?: number) {
  const made = await connected(token);
  made.relay.last.join({ expiresAt });
  made.heard.length = 0;
  return made;
}

const told = (problems: readonly FlockError[]) =>
  problems.map(({ code, details }) => [code, details["code"]]);
const offered = ({ relay }: ReturnType<typeof setUp>) =>
  relay.sockets.map(({ protocols }) => protocols.join(" "));

describe("the token of a connection", () => {
  it("LINK-17: each connection asks for one, and offers it after the protocol", async () => {
    const made = await online(counting().token);
    made.relay.last.close(1006);
    expect(made.relay.sockets).toHaveLength(1);
    made.clock.runNext();
    await settle();
    expect(offered(made)).toEqual(["flockstate.v1 bearer.token-1", "flockstate.v1 bearer.token-2"]);
  });

  it("LINK-17: disconnecting while it is asked for opens no socket, and connecting again asks anew", async () => {
    let give: (token: string) => void = () => {};
    const made = setUp({ token: () => new Promise((resolve) => (give = resolve)) });
    made.link.connect();
    expect(made.link.status.get()).toBe("connecting");
    const first = give;
    made.link.disconnect();
    made.link.connect();
    first("late");
    await settle();
    expect(made.relay.sockets).toEqual([]);
    give("current");
    await settle();
    expect(offered(made)).toEqual(["flockstate.v1 bearer.current"]);
    made.link.disconnect();
    expect(made.clock.delays()).toEqual([]);
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no session");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no session"))],
    ["gives nothing", () => undefined],
    ["gives what no header carries", () => "a token"],
    ["gives the empty text", () => ""],
    ["gives too much", () => "x".repeat(maxTokenBytes + 1)],
  ])("LINK-18: a provider that %s is told once and asked again with back-off", async (_, fail) => {
    let mended = false;
    const made = await connected(() => (mended ? "good" : (fail() as string)));
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      waits.push(...made.clock.delays());
      made.clock.runNext();
      await settle();
    }
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect([told(made.problems), made.relay.sockets, made.link.status.get()]).toEqual([
      [["room/token-failed", undefined]],
      [],
      "connecting",
    ]);
    mended = true;
    made.clock.runNext();
    await settle();
    made.relay.last.join();
    expect(made.link.status.get()).toBe("online");
  });

  it("LINK-18: a provider that never answers counts as failed after 45 s", async () => {
    const made = await connected(() => new Promise(() => {}));
    made.clock.advance(45_000);
    expect([told(made.problems), made.clock.delays()]).toEqual([[["room/token-failed", undefined]], [250]]);
  });

  it("LINK-18: no message tells a token", async () => {
    const made = await connected(() => "secret secret");
    expect(JSON.stringify([made.problems[0]?.message, made.problems[0]?.details])).not.toContain("secret");
  });
});

describe("a token that the relay refuses", () => {
  it("LINK-19: 4401 is no end: the next token goes on, what was sent is lost and not failed, and nothing is told", async () => {
    const made = await online(counting().token);
    const outcomes = follow(made.link.upload("shared", update()));
    await settle();
    made.relay.last.send({ type: "problem", code: "edge/token-expired", message: "expired" });
    made.relay.last.close(4401, "edge/token-expired");
    made.clock.runNext();
    await settle();
    made.relay.last.join();
    expect([offered(made).length, made.link.status.get(), outcomes, made.problems]).toEqual([
      2,
      "online",
      ["0 lost"],
      [],
    ]);
    // A join in between: the next refusal is the first again.
    made.relay.last.close(4401, "edge/token-expired");
    made.clock.runNext();
    await settle();
    expect(offered(made)).toHaveLength(3);
  });

  it("LINK-19: the same token again stops the link with the reason, until connect", async () => {
    const made = await online(() => "always-the-same");
    made.relay.last.close(4401, "edge/token-revoked");
    made.clock.runNext();
    await settle();
    expect([made.relay.sockets.length, told(made.problems), made.link.status.get()]).toEqual([
      1,
      [["room/token-failed", "edge/token-revoked"]],
      "offline",
    ]);
    expect(made.clock.delays()).toEqual([]);
    made.link.connect();
    await settle();
    expect(made.relay.sockets).toHaveLength(2);
  });

  it("LINK-19: a second refusal in a row stops the link", async () => {
    const made = await connected(counting().token);
    made.relay.last.close(4401, "edge/token-invalid");
    made.clock.runNext();
    await settle();
    made.relay.last.close(4401, "edge/token-invalid");
    expect([made.relay.sockets.length, told(made.problems), made.clock.delays()]).toEqual([
      2,
      [["room/token-failed", "edge/token-invalid"]],
      [],
    ]);
  });

  it("LINK-19: after a revocation the next token is asked for a second later: it must be of another second", async () => {
    const made = await online(counting().token);
    made.relay.last.close(4401, "edge/token-revoked");
    expect(made.clock.delays()).toEqual([1_250]);
  });

  it("LINK-19: without a provider a relay that wants tokens is told as a refusal for good", () => {
    const { relay, link, problems } = setUp();
    link.connect();
    relay.last.close(4401, "edge/token-required");
    expect([told(problems), link.status.get()]).toEqual([
      [["crdt/refused", "edge/token-required"]],
      "offline",
    ]);
  });

  it.each<[number, string]>([
    [4403, "edge/forbidden"],
    [4410, "edge/room-deleted"],
  ])("LINK-10: %i stops the link whatever token comes next", async (code, reason) => {
    const made = await online(counting().token);
    made.relay.last.close(code, reason);
    expect([told(made.problems), made.clock.delays()]).toEqual([[["crdt/refused", reason]], []]);
  });

  it("LINK-9: an overloaded relay is left alone for longer", () => {
    const { relay, clock } = join();
    relay.last.close(4529, "edge/rate-limited");
    expect(clock.delays()).toEqual([4_000]);
  });
});

describe("whom the relay takes a replica for", () => {
  it("LINK-20: another principal than the room's stops the link, and nothing is sent", async () => {
    const made = await connected(counting().token);
    made.link.announce("{}");
    made.relay.last.join({ principal: "bob" });
    await settle();
    expect([told(made.problems), made.problems[0]?.details]).toEqual([
      [["room/wrong-principal", undefined]],
      { granted: "bob", principal: "anon" },
    ]);
    expect([made.relay.last.closed, made.heard.includes("joined"), made.clock.delays()]).toEqual([
      true,
      false,
      [],
    ]);
    expect(made.relay.last.sent.map(({ type }) => type)).toEqual(["join"]);
  });
});

describe("renewal", () => {
  const tokens = ({ relay }: Awaited<ReturnType<typeof online>>) =>
    relay.last.sent.flatMap((each) => (each.type === "token" ? [each.token] : []));

  it.each<[string, number, number]>([
    ["a fifth before the end", 100, 85],
    ["at least 5 s before", 20, 15],
    ["at most 60 s before", 3_600, 3_555],
  ])("LINK-21: the next token goes over the open socket %s", async (_, lifeS, atS) => {
    const made = await online(counting().token, 1_000 + lifeS * 1_000);
    const due = Math.min(...made.clock.delays().filter((delay) => delay > 5_000 || delay === atS * 1_000));
    expect(due).toBe(atS * 1_000);
    for (let passed = 0; passed < atS; passed += 5) {
      expect(tokens(made)).toEqual([]);
      made.relay.last.send({ type: "pong" });
      made.clock.advance(5_000);
      await settle();
    }
    expect([tokens(made), made.relay.sockets.length]).toEqual([["token-2"], 1]);
    made.relay.last.send({
      type: "granted",
      principal: "anon",
      scopes: tokenScopes,
      expiresAt: made.clock.now() + 100_000,
    });
    expect(made.clock.delays()).toContain(85_000);
    made.link.disconnect();
    expect(made.clock.delays()).toEqual([]);
  });

  it("LINK-21: replicas spread out", async () => {
    const made = await connected(counting().token, { roll: 0 });
    made.relay.last.join({ expiresAt: 101_000 });
    expect(made.clock.delays()).toContain(80_000);
  });

  it("LINK-21: a provider that fails meanwhile is asked again; the connection stays until the relay ends it", async () => {
    let fails = false;
    const provider = counting();
    const made = await online(() => {
      if (fails) throw new Error("no session");
      return provider.token();
    }, 21_000);
    fails = true;
    made.clock.advance(15_000);
    await settle();
    expect([told(made.problems), made.link.status.get()]).toEqual([
      [["room/token-failed", undefined]],
      "online",
    ]);
    fails = false;
    made.clock.advance(5_000);
    await settle();
    expect([tokens(made), made.problems.length]).toEqual([["token-2"], 1]);
  });

  it("LINK-21: an end that lies behind, by this device's clock, or that is far ahead, sets no hasty timer", async () => {
    for (const expiresAt of [500, 1_000 + 90 * 24 * 3_600_000]) {
      const provider = counting();
      const made = await online(provider.token, expiresAt);
      expect(made.clock.delays().every((delay) => delay === 5_000 || delay > 1e9)).toBe(true);
      expect(made.clock.delays().every((delay) => delay < 2 ** 31)).toBe(true);
    }
  });
});
