import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as idle } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleWorker } from "../../scripts/lib/bundle-worker.mjs";
import { projectDir } from "../../scripts/lib/doors.mjs";
import { startWorkerd, type WorkerdProcess } from "../../scripts/lib/workerd-process.mjs";
import { mintToken } from "../../src/edge/index.ts";
import { tokenScopes } from "../../src/protocol/index.ts";
import { pageOf, pageUpdates, readPage } from "./documents.ts";
import { type LiveSocket, openLiveSocket } from "./live-socket.ts";
import { itemsOf, joinFrame, updateFrame } from "./wire.ts";

// The runtime drops an object from memory after about ten seconds without an event, its sockets staying open.
const sleepMs = 11_000;
const secret = "a secret of the tests, at least 32 bytes long";
const persistDir = mkdtempSync(join(tmpdir(), "flockstate-sleep-"));
const client = 7;
const page = pageOf(client, "alice.planner.x7");
let relay: WorkerdProcess;

/** Scenarios, most of which is waiting: they go on side by side, whatever the runner makes of their tests. */
const scenarios: { title: string; run: () => Promise<void>; outcome?: Promise<void> }[] = [];

beforeAll(async () => {
  const module = join(persistDir, "worker.mjs");
  await bundleWorker({ entry: `${projectDir}src/worker.ts`, outFile: module });
  // Without metrics, whose report keeps a room awake for ten seconds more.
  relay = await startWorkerd({
    module,
    persistDir,
    objects: ["ROOMS"],
    bindings: { FLOCKSTATE_TOKEN_SECRET: secret },
  });
  for (const scenario of scenarios) {
    scenario.outcome = scenario.run();
    // Its own test tells what came of it.
    scenario.outcome.catch(() => {});
  }
}, 60_000);

function scenario(title: string, run: () => Promise<void>): void {
  const added: (typeof scenarios)[number] = { title, run };
  scenarios.push(added);
  test(title, () => added.outcome);
}

afterAll(async () => {
  await relay?.kill("SIGKILL");
  rmSync(persistDir, { recursive: true, force: true });
});

interface Entering {
  subject?: string;
  expiresInMs?: number;
  credits?: boolean;
}

async function enter(
  room: string,
  { subject = "alice", expiresInMs = 600_000, credits = true }: Entering = {},
): Promise<LiveSocket> {
  const token = await mintToken({ secret, room, subject, scopes: tokenScopes, expiresInMs });
  const socket = await openLiveSocket({ url: relay.url, room, token, credits });
  socket.sendFrame(joinFrame());
  await socket.until(() => itemsOf(socket.items, "joined").length > 0, "the end of a join");
  return socket;
}

/** What a replica reads of the page, after all that the socket was sent. */
function readOf({ items }: LiveSocket): unknown[] {
  const updates = itemsOf(items, "update").filter(({ name }) => name === page);
  return readPage(updates.map(({ update }) => update));
}

function presencesOf({ items }: LiveSocket) {
  return itemsOf(items, "presences").flatMap(({ entries }) => entries);
}

function acknowledged({ items }: LiveSocket): number {
  return itemsOf(items, "acknowledge").at(-1)?.number ?? 0;
}

const state = (name: string) => JSON.stringify({ name });

/** A room with a writer of one page and a reader. */
async function inhabited(room: string) {
  const [writer, reader] = [await enter(room), await enter(room, { subject: "bob" })];
  const updates = pageUpdates(
    client,
    Array.from({ length: 50 }, (_, index) => index),
  );
  let written = 0;
  const writes = async () => {
    writer.sendFrame(updateFrame(page, updates.slice(written, ++written), written));
    await writer.until(() => acknowledged(writer) === written, "the acknowledgement");
    await reader.until(() => readOf(reader).length === written, "the update");
  };
  await writes();
  return {
    writer,
    reader,
    writes,
    /** How many values the page has. */
    count: () => written,
    next: () => updates.slice(written, ++written),
    /**
     * Falls asleep, does something, and writes: a name that the reader is sent again says that memory was lost in
     * between. Where it was not, all of it once more.
     */
    async whileAsleep(act: () => Promise<void>, before: () => Promise<void> = async () => {}) {
      for (let slept = false; !slept; ) {
        await before();
        const names = itemsOf(reader.items, "name").length;
        await idle(sleepMs);
        await act();
        await writes();
        slept = itemsOf(reader.items, "name").length > names;
      }
    },
  };
}

describe("a room that sleeps while its sockets stay open", () => {
  scenario("RELAY-25: a close that wakes it removes exactly that presence", async () => {
    const room = "leaving";
    const { writer, reader, whileAsleep } = await inhabited(room);
    writer.send({ type: "presence", state: state("writer") });
    let leaver: LiveSocket;
    let id: number | undefined;
    await whileAsleep(
      async () => {
        leaver.leave();
        await reader.until(() => presencesOf(reader).at(-1)?.state === undefined, "the departure");
        expect(presencesOf(reader).at(-1)?.id).toBe(id);
      },
      async () => {
        leaver = await enter(room);
        leaver.send({ type: "presence", state: state("leaver") });
        await reader.until(() => presencesOf(reader).at(-1)?.state === state("leaver"), "a presence");
        id = presencesOf(reader).at(-1)?.id;
      },
    );
    expect(presencesOf(await enter(room)).map((entry) => entry.state)).toEqual([state("writer")]);
  });

  scenario(
    "RELAY-25: who joins a sleeping room is shown everybody and every row, and is shown to the sleepers",
    async () => {
      const room = "joining";
      const { writer, reader, whileAsleep, count } = await inhabited(room);
      writer.send({ type: "presence", state: state("writer") });
      reader.send({ type: "presence", state: state("reader") });
      await reader.until(() => presencesOf(reader).some((entry) => entry.state === state("writer")));
      await whileAsleep(async () => {
        const written = count();
        const joiner = await enter(room, { subject: "carol" });
        expect(readOf(joiner)).toHaveLength(written);
        expect(
          presencesOf(joiner)
            .map((entry) => entry.state)
            .sort(),
        ).toEqual([state("reader"), state("writer")]);
        joiner.send({ type: "presence", state: state(`joiner ${written}`) });
        await reader.until(
          () => presencesOf(reader).some((entry) => entry.state === state(`joiner ${written}`)),
          "the presence of the joiner",
        );
      });
      expect(presencesOf(await enter(room)).map((entry) => entry.state)).toEqual(
        expect.arrayContaining([state("reader"), state("writer")]),
      );
    },
  );

  scenario("RELAY-24: the frame that wakes it is stored, acknowledged and passed on", async () => {
    const { writer, reader, whileAsleep, next, count } = await inhabited("waking");
    await whileAsleep(async () => {
      const updates = next();
      writer.sendFrame(updateFrame(page, updates, count()));
      await writer.until(() => acknowledged(writer) === count(), "the acknowledgement");
      await reader.until(() => readOf(reader).length === count(), "the update");
    });
    expect(itemsOf(writer.items, "refuse")).toEqual([]);
  });

  scenario("RELAY-24: a mark that wakes it is acknowledged, for what was sent before the sleep", async () => {
    const room = "marking";
    const { writer, whileAsleep, next, count } = await inhabited(room);
    await whileAsleep(
      async () => {
        writer.send({ type: "mark", number: count() });
        await writer.until(() => acknowledged(writer) === count(), "the acknowledgement");
        expect(readOf(await enter(room))).toHaveLength(count());
      },
      async () => {
        const [update] = next();
        if (!update) throw new RangeError("The page has no more updates.");
        writer.send(
          { type: "name", channel: 900, name: page },
          { channel: 900, message: { type: "update", update } },
        );
      },
    );
  });

  scenario(
    "RELAY-24: an upload at the very moment of falling asleep is acknowledged and stored",
    async () => {
      const moments = Array.from({ length: 12 }, (_, index) => 9_700 + index * 50);
      await Promise.all(
        moments.map(async (moment) => {
          const room = `falling-${moment}`;
          const { writer, next, count } = await inhabited(room);
          await idle(moment);
          writer.sendFrame(updateFrame(page, next(), count()));
          await writer.until(() => acknowledged(writer) === count(), "the acknowledgement");
          expect(readOf(await enter(room))).toHaveLength(count());
        }),
      );
    },
  );

  scenario("SLEEP-8: a token that expires in its sleep closes that socket, by the alarm alone", async () => {
    const room = "expiring";
    const { reader, whileAsleep } = await inhabited(room);
    let guest: LiveSocket;
    let expiry = 0;
    await whileAsleep(
      async () => {
        expect(await guest.untilClosed()).toEqual({ code: 4401, reason: "edge/token-expired" });
        expect(Date.now()).toBeGreaterThanOrEqual(expiry);
        expect(reader.closed).toBeUndefined();
      },
      async () => {
        const expiresInMs = sleepMs + 2_000;
        expiry = Date.now() + expiresInMs - 1_000;
        guest = await enter(room, { subject: "carol", expiresInMs });
      },
    );
  });

  scenario("SLEEP-9: a reader that lagged before the sleep is told the rest after it", async () => {
    const room = "lagging";
    const { whileAsleep } = await inhabited(room);
    const writer = await enter(room);
    const slow = await enter(room, { subject: "carol", credits: false });
    const largePages = () =>
      new Set(
        itemsOf(slow.items, "update")
          .map(({ name }) => name)
          .filter((name) => name !== page),
      );
    let large = 0;
    const writeLarge = async () => {
      const until = large + 12;
      while (large < until) {
        const other = client + ++large;
        const updates = pageUpdates(other, ["x".repeat(200_000)]);
        writer.sendFrame(updateFrame(pageOf(other, "alice.planner.x7"), updates, large));
        await writer.until(() => acknowledged(writer) === large, "the acknowledgement");
      }
      expect(largePages().size).toBeLessThan(large);
    };
    await whileAsleep(async () => {
      slow.credits = true;
      await slow.until(() => largePages().size === large, "the rest");
      slow.credits = false;
    }, writeLarge);
  });
});
