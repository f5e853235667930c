import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as idle } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { bundleWorker } from "../../scripts/lib/bundle-worker.mjs";
import { projectDir } from "../../scripts/lib/doors.mjs";
import { developmentVariables } from "../../scripts/lib/relay-process.mjs";
import { startWorkerd, type WorkerdProcess } from "../../scripts/lib/workerd-process.mjs";
import { roomSubprotocol, socketPath } from "../../src/protocol/index.ts";
import { pageOf, pageUpdates } from "./documents.ts";
import { openLiveSocket } from "./live-socket.ts";
import { frameOf, itemsOf, joinFrame, updateFrame } from "./wire.ts";

const megabyte = 1024 * 1024;
const roomMegabytes = Number(process.env["FLOCKSTATE_MEMORY_MB"] ?? 64);
const readers = Number(process.env["FLOCKSTATE_MEMORY_READERS"] ?? 40);
/**
 * A room has 32 MiB on the way to its readers at most. In the process each of them may lie as a row, as a frame and in
 * a socket, and the runtime here has no limit that would make it collect: about 120 MiB with a single reader, about
 * 230 MiB with 40. All of the room for each of them would be gigabytes.
 */
const boundBytes = 384 * megabyte;
/** More than a window, so that a reader has been held back and let go on. */
const enoughBytes = 4 * megabyte;
const liars = 8;
/** By how many ticks, and MiB, a liar is behind the one before it: more than the relay keeps of what it has told. */
const apartTicks = 50;
const pageBytes = 250_000;
const tickMs = 20;
/** What liars claim a tick: slow enough that it was sent before they say that they have it. */
const claimedBytes = 96 * 1024;

const persistDir = mkdtempSync(join(tmpdir(), "flockstate-memory-"));
const module = join(persistDir, "worker.mjs");

function residentBytes({ pid }: WorkerdProcess): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

function start(): Promise<WorkerdProcess> {
  const limits = { bytesInPerSecond: 1024 * megabyte, bytesOutPerSecond: 1024 * megabyte };
  const bindings = { ...developmentVariables, FLOCKSTATE_LIMITS: JSON.stringify(limits) };
  return startWorkerd({ module, persistDir, bindings });
}

/** A joiner that reads little at a time. */
interface SlowReader {
  /** Reads for a moment; gives credit for what has come, or for whatever is `claimed`. */
  readOn(claimed?: number): Promise<void>;
  readonly taken: number;
  leave(): void;
}

async function joinSlowly(url: string, room: string): Promise<SlowReader> {
  const socket = new WebSocket(url.replace("http", "ws") + socketPath(room), roomSubprotocol, {
    perMessageDeflate: false,
  });
  let taken = 0;
  socket.on("message", (data: Buffer) => {
    taken += data.length;
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  socket.send(joinFrame());
  socket.pause();
  return {
    async readOn(claimed) {
      socket.send(frameOf({ type: "credit", bytes: claimed ?? taken }));
      if (claimed !== undefined) return;
      socket.resume();
      await idle(1);
      socket.pause();
    },
    get taken() {
      return taken;
    },
    leave: () => socket.terminate(),
  };
}

describe.skipIf(!existsSync("/proc/self/status"))("the memory of a relay", () => {
  const room = "large";

  beforeAll(async () => {
    await bundleWorker({ entry: `${projectDir}src/worker.ts`, outFile: module });
    const relay = await start();
    const writer = await openLiveSocket({ url: relay.url, room });
    writer.sendFrame(joinFrame());
    const pages = Math.ceil((roomMegabytes * megabyte) / pageBytes);
    for (let client = 1; client <= pages; client++) {
      const updates = pageUpdates(client, [String.fromCharCode(97 + (client % 26)).repeat(pageBytes)]);
      writer.sendFrame(updateFrame(pageOf(client), updates, client));
      await writer.until(() => itemsOf(writer.items, "acknowledge").at(-1)?.number === client);
    }
    await relay.kill("SIGKILL");
  }, 120_000);

  afterAll(() => rmSync(persistDir, { recursive: true, force: true }));

  /** By how much the relay grows at most while readers are told the room, until it is `enough`. */
  async function growth(
    count: number,
    readOn: (reader: SlowReader, tick: number, index: number) => Promise<void>,
    isEnough: (readers: readonly SlowReader[], grown: number) => boolean,
  ): Promise<number> {
    const relay = await start();
    const slow: SlowReader[] = [await joinSlowly(relay.url, "small")];
    const before = residentBytes(relay);
    let most = 0;
    try {
      slow.pop()?.leave();
      for (let index = 0; index < count; index++) slow.push(await joinSlowly(relay.url, room));
      for (let tick = 1; !isEnough(slow, most); tick++) {
        await Promise.all(slow.map((reader, index) => readOn(reader, tick, index)));
        await idle(tickMs);
        most = Math.max(most, residentBytes(relay) - before);
      }
    } finally {
      for (const reader of slow) reader.leave();
      await relay.kill("SIGKILL");
    }
    return most;
  }

  test(`MEM-1: ${readers} slow joiners of ${roomMegabytes} MB of rows do not make the relay hold them`, {
    timeout: 300_000,
  }, async () => {
    const most = await growth(
      readers,
      (reader) => reader.readOn(),
      (slow) => slow.every(({ taken }) => taken > enoughBytes),
    );
    expect(most).toBeLessThan(boundBytes);
  });

  test("MEM-1 control: readers that claim to have taken what they have not are seen", {
    timeout: 120_000,
  }, async () => {
    const most = await growth(
      liars,
      // One after another: those who stand at one cursor share what is kept for them.
      (reader, tick, index) => reader.readOn(Math.max(0, tick - apartTicks * index) * claimedBytes),
      (_, grown) => grown > boundBytes,
    );
    expect(most).toBeGreaterThan(boundBytes);
  });
});
