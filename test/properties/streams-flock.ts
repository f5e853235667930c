import type { LaneLimits } from "../../src/crdt/index.ts";
import type { Agent, Room, StreamPiece, StreamWriter } from "../../src/index.ts";
import {
  defineFlock,
  type FaultMix,
  type FlockReplica,
  type FlockStep,
  type Scenario,
  type SimulatedRandom,
  type SimulatedReplica,
  type Simulation,
} from "../../src/testing/index.ts";
import { tinyLanes } from "./lanes-member.ts";
import { createStreamsBook, type Reader, type Stream, type StreamsBook } from "./streams-book.ts";

export interface StreamsFlockOptions {
  faults?: FaultMix;
  /** Default 16. */
  steps?: number;
  /** Where a reader goes on that had come so far; for the control. Default there. */
  resumeAt?(offset: number): number;
}

/** An open replica, which writes and reads. */
interface StreamingMember {
  readonly room: Room;
  readonly name: string;
  readonly replica: SimulatedReplica;
  readonly agent: Agent;
  /** The streams that this page writes. */
  readonly writing: Map<Stream, StreamWriter>;
  /** What this page reads at present, and how that is cut off. */
  readonly reading: Map<Stream, AbortController>;
}

const streamFaults: FaultMix = {
  cut: 5,
  silentCut: 2,
  partition: 4,
  mute: 1,
  deaf: 1,
  offline: 1,
  crash: 8,
  close: 2,
  hide: 1,
  skew: 1,
  slowDisk: 1,
  noisyTabs: 1,
  relayCrash: 2,
  relaySleep: 2,
  relayReset: 1,
  slowRelay: 1,
  failedUploads: 2,
  lateReferences: 1,
};

/** Small enough that a stream of a few dozen parts is sealed behind its writer. */
const shortLanes: LaneLimits = { ...tinyLanes, pageEntries: 4, liveEntries: 6, livePages: 3 };

/** Some of its characters are one code unit, some two, and one of three is joined. */
const prose = "Zwölf \u{1F600}\u{1F680}\u{1F469}\u200D\u{1F4BB} und \u{10437}\u{1F600}! ";

/** Longer than sealing rests after an opening. */
const calmMs = 75_000;

/** What an application hears of and reads again after. */
const passing = /^refstore\/unavailable$/;

function drawReplicas(random: SimulatedRandom): FlockReplica[] {
  const count = random.between(2, 3);
  const hasTokens = random.chance(0.3);
  return Array.from({ length: count }, (_, index) => {
    const browser = index > 0 && random.chance(0.25) ? "browser-0" : `browser-${index}`;
    const identity = hasTokens && { identity: { principal: browser, tokenLifeMs: 60_000 } };
    return { name: `replica-${index}`, browser, ...identity };
  });
}

/** A flock whose agents write streams, and read each other's again and again; a failure is one complaint a line. */
export function streamsScenario(options: StreamsFlockOptions = {}): Scenario<FlockStep> {
  const { steps = 16, resumeAt = (offset) => offset } = options;
  return defineFlock<StreamingMember>((random) => {
    const replicas = drawReplicas(random.fork("replicas"));
    const lanes = random.chance(0.6) ? shortLanes : undefined;
    const book = createStreamsBook();
    let isHealing = false;
    let isCalm = false;
    let world: Simulation;

    async function open(
      { agent, writing, room, name }: StreamingMember,
      draw: SimulatedRandom,
    ): Promise<void> {
      const isText = draw.chance(0.8);
      const writer = await agent.openStream({ topic: "drafts", type: "DRAFT" });
      const stream = book.opened(writer.id, { room, isText, writtenBy: name });
      writing.set(stream, writer);
      write(stream, writer, draw);
    }

    /** Writes some tokens, cut at any code unit. */
    function write(stream: Stream, writer: StreamWriter, draw: SimulatedRandom): void {
      for (let count = draw.between(1, 8); count > 0; count--) {
        const from = stream.offered % prose.length;
        let token = prose.repeat(2).slice(from, from + draw.between(1, 9));
        stream.offered += token.length;
        if (stream.isText && draw.chance(0.02)) token += "\uD83D";
        const undo = book.wrote(stream, token);
        writer.write(stream.isText ? token : bytesOf(token)).catch(undo);
      }
    }

    function writeAny(member: StreamingMember, draw: SimulatedRandom): void {
      const { writing } = member;
      const streams = [...writing];
      if (streams.length === 0) open(member, draw).catch(() => undefined);
      else write(...draw.pick(streams), draw);
    }

    function end({ writing }: StreamingMember, stream: Stream, writer: StreamWriter): void {
      writing.delete(stream);
      stream.isEnding = true;
      writer.end().then(
        ({ size }) => book.ended(stream, size),
        () => {
          stream.isGivenUp = true;
        },
      );
    }

    function endAny(member: StreamingMember, draw: SimulatedRandom): void {
      const streams = [...member.writing];
      if (streams.length === 0) return;
      const [stream, writer] = draw.pick(streams);
      if (draw.chance(0.7)) {
        end(member, stream, writer);
        return;
      }
      member.writing.delete(stream);
      stream.isGivenUp = true;
      void writer.fail("enough");
    }

    /** Goes on where this replica's reader of a stream had come to, or a little before. */
    async function read(member: StreamingMember, stream: Stream, draw: SimulatedRandom): Promise<void> {
      const { room, name, reading, replica } = member;
      const reader = book.reader(name, stream);
      if (reading.has(stream) || reader.outcome !== undefined) return;
      const controller = new AbortController();
      reading.set(stream, controller);
      const { signal } = controller;
      const pauseMs = draw.chance(0.3) ? draw.pick([10, 300, 3_000]) : 0;
      let left = !isHealing && draw.chance(0.5) ? draw.between(1, 12) : Number.POSITIVE_INFINITY;
      if (draw.chance(0.3)) book.rewind(reader, draw.fraction());
      try {
        const from = resumeAt(reader.text.length);
        for await (const piece of room.readStream(stream.id, { from, signal })) {
          book.got(reader, piece.at, contentOf(piece));
          if (--left <= 0) return;
          if (pauseMs > 0 && !isHealing) {
            await new Promise<void>((resolve) => {
              replica.clock.after(pauseMs, resolve);
            });
          }
        }
        book.finished(reader, "whole");
      } catch (failure) {
        noteEnd(reader, failure);
      } finally {
        reading.delete(stream);
      }
    }

    function noteEnd(reader: Reader, failure: unknown): void {
      const { code = "", message, details } = failure as Error & { code?: string; details?: { at?: number } };
      if (code === "messaging/stream-failed") book.finished(reader, "failed", details?.at);
      else if (!passing.test(code) && code !== "room/closed" && message !== "cut off") {
        book.complain(`${reader.name} reading ${reader.stream.id}: ${code}: ${message}`);
      }
    }

    function readAny(member: StreamingMember, draw: SimulatedRandom): void {
      if (book.streams.length === 0) return;
      const stream = draw.pick(book.streams);
      const controller = member.reading.get(stream);
      if (controller) controller.abort(new Error("cut off"));
      else void read(member, stream, draw);
    }

    function problems(): void {
      if (book.complaints.length > 0) throw new Error([...new Set(book.complaints)].join("\n"));
    }

    return {
      replicas,
      steps,
      faults: { ...streamFaults, ...options.faults },
      weights: { write: 45, end: 10, read: 30 },
      paceMs: random.pick([60, 400, 2_000]),
      world: {
        latency: { networkMs: random.pick([15, 80, 400]), diskMs: random.pick([2, 12, 120]) },
      },
      acts: { write: writeAny, end: endAny, read: readAny },
      async open(replica, { name, simulation }) {
        world = simulation;
        const platform = { ...replica.platform, ...(lanes && { lanes }) };
        const room = await replica.open("lab", { platform });
        room.onProblem(({ code, message }) => {
          if (!passing.test(code)) book.complain(`${name}: ${code}: ${message}`);
        });
        const agent = await room.agent("writer");
        return { room, name, replica, agent, writing: new Map(), reading: new Map() };
      },
      watch: problems,
      async check(members) {
        isHealing = true;
        problems();
        for (const member of members) {
          for (const [stream, writer] of [...member.writing]) end(member, stream, writer);
          for (const stream of book.streams) void read(member, stream, random);
        }
        const found = await complaintsOf(book, members, world);
        if (found.length > 0) throw new Error(found.join("\n"));
        if (isCalm) return;
        await world.advance(calmMs);
        isCalm = true;
      },
    };
  });
}

/** What must not be of what was streamed, once all is well. */
async function complaintsOf(
  book: StreamsBook,
  members: readonly StreamingMember[],
  simulation: Simulation,
): Promise<string[]> {
  const [first] = members;
  const rooms = new Set(members.map(({ room }) => room));
  const found: string[] = [];
  for (const stream of book.streams) {
    const isHere = rooms.has(stream.room);
    // Whoever read it in the page that wrote it may have read what that page had not stored when it died.
    const readers = members
      .filter(({ name }) => isHere || name !== stream.writtenBy)
      .map(({ name }) => book.reader(name, stream));
    const waiting = readers.find(({ outcome }) => outcome === undefined);
    const failed = readers.find(({ outcome }) => outcome === "failed");
    const whole = readers.find(({ outcome }) => outcome === "whole");
    if (waiting) {
      const isLost = !isHere && readers.every(({ text }) => text === "");
      // So is the message that opened it.
      if (first && isLost && !(await simulation.until(first.room.provenance(stream.id)))) continue;
      found.push(`${waiting.name} still reads ${stream.id}`);
    } else if (failed && isHere && !stream.isGivenUp) {
      found.push(`${stream.id} failed for ${failed.name}, though its writer is there`);
    } else if (failed && whole) {
      found.push(`${stream.id} failed for ${failed.name}, and ended for ${whole.name}`);
    }
  }
  return found;
}

/** A byte for each code unit: what is written as bytes is told by the same offsets. */
function bytesOf(token: string): Uint8Array {
  return Uint8Array.from({ length: token.length }, (_, index) => token.charCodeAt(index) & 0xff);
}

function contentOf(piece: StreamPiece): string {
  return "text" in piece ? piece.text : String.fromCharCode(...piece.bytes);
}
