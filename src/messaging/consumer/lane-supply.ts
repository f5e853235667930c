import { type Clock, createEmitter, FlockError, isFlockError } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import type { PageName } from "../../protocol/index.ts";
import type { ConsumerPositions } from "./consumer-positions.ts";
import { retryAfterMs } from "./delivery-rules.ts";
import { createLaneReading, type LaneGap, type LaneReading } from "./history-lane.ts";
import type { Turns } from "./history-turns.ts";
import type { LanePage } from "./position.ts";

/** Is told, as a handler is of a message, of what retention took before it was read. */
export type GapHandler = (gap: LaneGap) => unknown;

/** The pages of one lane for a consumer: those that are live, and those of its history that it brings when asked to. */
export interface LaneSupply {
  pages(): readonly LanePage[];
  /** Whether there is more to bring after what is at hand. */
  lacks(): boolean;
  /** Begins to bring it, once at a time; where it is out of reach it is tried again. */
  bring(): void;
  /** Begins to find out where in the sealed part the consumer begins, where it is that what is not known yet. */
  place(): void;
  /** Sealed pages at hand of which something is not done. */
  ahead(): number;
  /** Lets go of what was brought; tells whether there was something. */
  rest(): boolean;
  /** A page has come. */
  arrived(page: PageName): void;
  /** What was out of reach may not be any more. */
  retry(): void;
  close(): void;
}

export interface LaneSupplyOptions {
  lane: string;
  documents: Pick<Documents, "log" | "history">;
  positions: Pick<ConsumerPositions, "at" | "jump" | "beganAt" | "place">;
  turns: Turns;
  clock: Clock;
  onGap: GapHandler | undefined;
  /** Whose it is, for whoever reads of a problem. */
  consumer: string;
  agent: string;
  /** More is at hand, or the position has jumped. */
  onBrought(): void;
  onProblem(error: FlockError): void;
}

/** History that is out of reach is asked for again after this, doubling, ... */
const firstRestMs = 1_000;
/** ... and no later than after this. */
const lastRestMs = 60_000;
/** A page that nobody has is told of at the failure after so many: that is some seven seconds. */
const patience = 3;

/** Creates the supply of a lane; it fetches nothing before it is asked to. */
export function createLaneSupply(options: LaneSupplyOptions): LaneSupply {
  const { lane, documents, positions, turns, clock, onGap, consumer, agent, onBrought, onProblem } = options;
  let lifetime: AbortController | undefined;
  const reading: LaneReading = createLaneReading({ lane, documents, turns, signal });
  /** Ends what is waited for. */
  const ends = createEmitter<void>();
  const told = new Set<string>();
  let isBringing = false;
  let isClosed = false;
  let failures = 0;
  let gapAttempts = 0;

  function signal(): AbortSignal {
    lifetime ??= new AbortController();
    return lifetime.signal;
  }

  async function bring(): Promise<void> {
    if (!reading.isJudged) await reading.judge();
    else {
      const brought = await reading.bring(positions.at(lane), positions.beganAt(lane));
      if (brought.kind === "jump") await pastRetention(brought);
    }
  }

  async function run(task: () => Promise<void>): Promise<void> {
    try {
      await task();
      failures = 0;
    } catch (failure) {
      if (isClosed) return;
      reading.rest();
      tell(failure, failures);
      await pause(Math.min(lastRestMs, firstRestMs * 2 ** Math.min(failures++, 10)));
    }
  }

  /** A page that is only out of reach is waited for; one that will not come back by itself is told of, once. */
  function tell(failure: unknown, times: number): void {
    if (!isFlockError(failure)) throw failure;
    if (failure.code === "refstore/unavailable" || failure.code === "refstore/closed") return;
    // That retention took it is heard a moment later.
    if (failure.code !== "crdt/history-corrupt" && times < patience) return;
    if (told.has(failure.code)) return;
    told.add(failure.code);
    onProblem(failure);
  }

  async function pastRetention({ below, gap }: { below: number; gap: LaneGap | undefined }): Promise<void> {
    if (gap) {
      if (onGap && !(await isTaken(gap, onGap))) return;
      if (isClosed || positions.at(lane).below >= below) return;
      onProblem(
        new FlockError(
          "messaging/gap",
          `Retention took ${gap.pages} pages of ${lane} before ${consumer} of ${agent} had read them.`,
          { details: { ...gap, consumer } },
        ),
      );
    }
    positions.jump(lane, below);
  }

  /** Whether the handler of gaps has taken one; where it fails it is told again. */
  async function isTaken(gap: LaneGap, handle: GapHandler): Promise<boolean> {
    try {
      gapAttempts++;
      await handle(gap);
      gapAttempts = 0;
      return true;
    } catch (cause) {
      if (isClosed) return false;
      const attempt = gapAttempts;
      onProblem(
        new FlockError(
          "messaging/handler-failed",
          `The handler of gaps of ${consumer} of ${agent} failed on pages ${gap.from} to ${gap.to} of ${lane} (attempt ${attempt}); they are told again.`,
          { cause, details: { lane, attempt, consumer } },
        ),
      );
      await pause(retryAfterMs(attempt));
      return false;
    }
  }

  function begin(task: () => Promise<void>): void {
    if (isBringing || isClosed) return;
    isBringing = true;
    void run(task).finally(() => {
      isBringing = false;
      if (!isClosed) onBrought();
    });
  }

  function pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const end = (): void => {
        cancel();
        undo();
        done();
      };
      const cancel = clock.after(ms, end);
      const undo = ends.on(end);
    });
  }

  return {
    pages: () => reading.pages(),
    lacks: () => !reading.isJudged || reading.lacks(positions.at(lane)),
    bring: () => begin(bring),
    place() {
      if (isBringing || isClosed) return;
      const placing = positions.place(lane, signal());
      if (placing) begin(() => placing);
    },
    ahead: () => reading.ahead(positions.at(lane)),
    rest: () => !isBringing && reading.rest(),
    arrived: (page) => reading.arrived(page, positions.at(lane)),
    retry: () => ends.emit(),
    close() {
      isClosed = true;
      lifetime?.abort(new FlockError("crdt/closed", `The consumer ${consumer} of ${agent} has stopped.`));
      reading.rest();
      ends.emit();
    },
  };
}
