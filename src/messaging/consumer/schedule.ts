import { createHeap } from "./heap.ts";

/** Each of these of waiting counts as one priority more. */
export const agingMs = 10_000;

/** What is to be handled. */
export interface Job {
  readonly id: string;
  /** From 0 to 9, the highest first. */
  readonly priority: number;
  /** Of two that are as urgent the older one, by its entry's clock, goes first. */
  readonly clock: number;
  /** The jobs of a lane that are neither finished nor dropped. */
  readonly lane: LaneLoad;
  /** Where it waits, of the places that it had in queues; only the schedule writes it. */
  slot: object | undefined;
}

/** How many of a lane's jobs the schedule has. */
export interface LaneLoad {
  jobs: number;
}

/** A place in a queue. */
interface Slot<T extends Job> {
  readonly job: T;
  /** When it is due, in milliseconds since the epoch. */
  readonly at: number;
  readonly urgency: number;
}

/** Who is handled next: pure, and told the time. */
export interface Schedule<T extends Job> {
  /** Whether a lane may offer another job. */
  hasRoom(lane: LaneLoad): boolean;
  /** A job is new. */
  add(job: T, dueAt: number): void;
  /** A job in hand, or one that waits, is due at another time; its hand is free. */
  defer(job: T, dueAt: number): void;
  /** A job is finished, or nobody's here any more; its hand is free. */
  finish(job: T): void;
  /** Puts the most urgent of what is due into a free hand; undefined where either lacks. */
  take(now: number): T | undefined;
  /** When what waits for its time is due next. */
  dueNext(): number | undefined;
  /** Jobs in hand. */
  readonly busy: number;
}

export interface ScheduleOptions {
  /** `lane`: one job of a lane at a time. */
  order: "lane" | "none";
  /** Jobs in hand at once. */
  maxInFlight: number;
  /** Jobs of one lane that it holds, in hand or waiting. */
  maxWaiting: number;
}

/** Places that jobs have left behind are cleared away once there are so many, and as many as others. */
const maxLeft = 256;

/** Creates an empty schedule. */
export function createSchedule<T extends Job>(options: ScheduleOptions): Schedule<T> {
  const { order, maxInFlight, maxWaiting } = options;
  const laneJobs = order === "lane" ? 1 : maxWaiting;
  const inHand = new Set<T>();
  const due = createHeap<Slot<T>>(isMoreUrgent);
  const later = createHeap<Slot<T>>((a, b) => a.at < b.at);
  /** Places in both that their jobs have left. */
  let left = 0;

  function leave(job: T): void {
    const { slot } = job;
    job.slot = undefined;
    // One that waits for no time is in no queue.
    if (slot === undefined || (slot as Slot<T>).at === Number.POSITIVE_INFINITY) return;
    left++;
    if (left < maxLeft || 2 * left < due.size + later.size) return;
    for (const queue of [due, later]) queue.retain(isHeld);
    left = 0;
  }

  function wait(job: T, at: number): void {
    leave(job);
    // Waiting makes all of them more urgent at one rate, so that their order stays: it is that of these numbers.
    const slot: Slot<T> = { job, at, urgency: job.priority * agingMs - at };
    job.slot = slot;
    if (at < Number.POSITIVE_INFINITY) later.push(slot);
  }

  /** The first slot of a queue that is still its job's; a job that has moved on leaves the others behind. */
  function firstOf(queue: typeof due): Slot<T> | undefined {
    for (let slot = queue.peek(); slot; slot = queue.peek()) {
      if (isHeld(slot)) return slot;
      queue.pop();
      left--;
    }
    return undefined;
  }

  return {
    hasRoom: (lane) => lane.jobs < laneJobs,
    add(job, dueAt) {
      job.lane.jobs++;
      wait(job, dueAt);
    },
    defer(job, dueAt) {
      inHand.delete(job);
      wait(job, dueAt);
    },
    finish(job) {
      inHand.delete(job);
      leave(job);
      job.lane.jobs--;
    },
    take(now) {
      for (let slot = firstOf(later); slot && slot.at <= now; slot = firstOf(later)) {
        later.pop();
        due.push(slot);
      }
      if (inHand.size >= maxInFlight) return undefined;
      const slot = firstOf(due);
      if (!slot) return undefined;
      due.pop();
      const { job } = slot;
      job.slot = undefined;
      inHand.add(job);
      return job;
    },
    dueNext: () => firstOf(later)?.at,
    get busy() {
      return inHand.size;
    },
  };
}

function isHeld(slot: Slot<Job>): boolean {
  return slot.job.slot === slot;
}

function isMoreUrgent(a: Slot<Job>, b: Slot<Job>): boolean {
  if (a.urgency !== b.urgency) return a.urgency > b.urgency;
  return a.job.clock === b.job.clock ? a.job.id < b.job.id : a.job.clock < b.job.clock;
}
