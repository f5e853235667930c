import type { FlockError, ReceivedMessage } from "../../src/index.ts";

/** One life of a replica: from its opening to its end. */
export interface Life {
  readonly name: string;
  /** The application closed it; what waited there has been told so. */
  isClosed: boolean;
}

export type QuestionKind = "request" | "poll" | "call";

/** Something that was asked, and what became of it as far as whoever asked was told. */
export interface Question {
  readonly number: number;
  readonly kind: QuestionKind;
  readonly to: string;
  readonly life: Life;
  readonly askedAt: number;
  readonly timeoutMs: number;
  /** By the asker's own clock, which may jump: past it nothing is sent any more. */
  readonly deadline: number;
  readonly stallMs: number;
  readonly max: number;
  /** Whoever asked takes it back, or leaves the replies. */
  isTakenBack: boolean;
  /** The ids of the replies that it was given. */
  readonly replies: string[];
  repliedAt: number;
  /** `answered`, a code, or `taken back`; undefined while it waits. */
  outcome?: string;
}

/** A handler at work. */
export interface Effect {
  readonly life: Life;
  readonly agent: string;
  readonly number: number;
}

/** What a run asked and did, kept outside the simulated world. */
export interface RequestsBook {
  readonly questions: readonly Question[];
  ask(question: Omit<Question, "number" | "replies" | "repliedAt" | "isTakenBack">): Question;
  gave(question: Question, reply: Pick<ReceivedMessage, "id" | "content">, at: number): void;
  /** At a time, and at one by the asker's own clock. */
  ended(question: Question, outcome: string, at: number, ownAt: number): void;
  /** A handler of a message begins, at a time by its own clock. */
  began(effect: Effect, message: { id: string; expiresAt: number | undefined; now: number }): void;
  /** A method begins. */
  executed(effect: Effect, call: { expiresAt: number; now: number }): void;
  /** Of a reply it was told that it is late. */
  late(reply: string): void;
  isLate(reply: string): boolean;
  complain(what: string): void;
  /** What must never be and was. */
  readonly complaints: readonly string[];
}

/** Every seventh is refused, by whoever is asked. */
export function isRefused(number: number): boolean {
  return number % 7 === 3;
}

export function answerTo(number: number): number {
  return number ** 2 + 1;
}

/** How late a timer may be in a tab that was hidden. */
const hiddenMs = 61_000;

export function createRequestsBook(): RequestsBook {
  const questions: Question[] = [];
  /** The one message of each question. */
  const ids = new Map<number, string>();
  const executions = new Map<string, number>();
  const late = new Set<string>();
  const complaints: string[] = [];

  function complain(what: string): void {
    complaints.push(what);
  }

  /** Whether something ended a question at a time when it may have. */
  function judge(
    { kind, number, ...question }: Question,
    outcome: string,
    { at, ownAt }: { at: number; ownAt: number },
  ): string | undefined {
    const { askedAt, timeoutMs, deadline, stallMs, max, replies, repliedAt, isTakenBack, life } = question;
    const hasExpired = at - askedAt >= timeoutMs || ownAt >= deadline;
    if (outcome === "messaging/expired") return hasExpired && kind !== "poll" ? undefined : "before its time";
    if (outcome === "room/closed") return life.isClosed ? undefined : "in a room that is open";
    if (outcome === "taken back") return isTakenBack ? undefined : "though nobody took it back";
    if (outcome === "messaging/request-failed") {
      return isRefused(number) && kind !== "poll" ? undefined : "though it was not refused";
    }
    if (outcome !== "answered") return "which is no end of a question";
    if (kind !== "poll") return isRefused(number) ? "though it was refused" : undefined;
    if (replies.length > max) return `with ${replies.length} replies, of which ${max} were asked for`;
    const hasStalled = replies.length > 0 && at - repliedAt >= stallMs;
    if (!hasExpired && !hasStalled && replies.length < max) return "before its time";
    const end = Math.min(askedAt + timeoutMs, replies.length > 0 ? repliedAt + stallMs : askedAt + timeoutMs);
    return at - end > hiddenMs ? `${at - end} ms after its end` : undefined;
  }

  return {
    questions,
    ask(asked) {
      const number = questions.length;
      const question: Question = { ...asked, number, replies: [], repliedAt: 0, isTakenBack: false };
      questions.push(question);
      return question;
    },
    gave(question, { id, content }, at) {
      const { number, kind, replies, outcome } = question;
      const what = `The ${kind} ${number}`;
      if (outcome !== undefined) complain(`${what} was given ${id} after its end`);
      if (replies.includes(id)) complain(`${what} was given ${id} twice`);
      const isRight = kind === "poll" && isRefused(number) ? true : content === answerTo(number);
      if (!isRight) complain(`${what} was given ${JSON.stringify(content)}`);
      replies.push(id);
      question.repliedAt = at;
    },
    ended(question, outcome, at, ownAt) {
      const { number, kind } = question;
      if (question.outcome !== undefined) complain(`The ${kind} ${number} ended twice`);
      question.outcome = outcome;
      const why = judge(question, outcome, { at, ownAt });
      if (why) complain(`The ${kind} ${number} ended as ${outcome} ${why}`);
    },
    began({ life, agent, number }, { id, expiresAt = Number.POSITIVE_INFINITY, now }) {
      const known = ids.get(number) ?? id;
      ids.set(number, known);
      if (known !== id) complain(`${agent} handles ${number} as ${id}, which is ${known}`);
      if (now >= expiresAt) {
        complain(`${agent} in ${life.name} handles ${id} ${now - expiresAt} ms after its deadline`);
      }
    },
    executed({ life, agent, number }, { expiresAt, now }) {
      const key = `${agent} in ${life.name}`;
      const count = (executions.get(`${key} ${number}`) ?? 0) + 1;
      executions.set(`${key} ${number}`, count);
      if (count > 1) complain(`${key} executes the call ${number} for the ${count}th time`);
      if (now >= expiresAt) complain(`${key} executes the call ${number} after its deadline`);
    },
    late: (reply) => void late.add(reply),
    isLate: (reply) => late.has(reply),
    complain,
    complaints,
  };
}

/** The outcome of what was thrown at whoever asked. */
export function outcomeOf(failure: unknown, takenBack: unknown): string {
  if (failure === takenBack) return "taken back";
  return (failure as Partial<FlockError>).code ?? String(failure);
}
