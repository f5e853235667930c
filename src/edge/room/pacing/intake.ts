import { type Clock, type ErrorCode, FlockError } from "../../../base/index.ts";
import { isResync } from "../../../protocol/index.ts";
import type { RoomLimits } from "../limits.ts";
import { createByPrincipal } from "./by-principal.ts";
import { createMeter, type Meter, overdrawnMs, spend } from "./rates.ts";

/** How long whoever was closed for its rate stays shut out: to refuse a socket is dearer than to refuse its frame. */
const awayMs = 2_500;
/** What honest replicas meet in passing, several at once, costs this part of a refusal. */
const inPassing = 0.1;

/** What each principal sends a room, whatever the number of its connections: a socket that is new brings no new rate. */
export interface Intake {
  /** Why a message may not come in, and its socket is to be closed; undefined where it may. */
  take(principal: string, bytes: number): FlockError | undefined;
  /** Counts something that was refused with a code; why the socket that sent it is to be closed, if it is. */
  refused(principal: string, code: ErrorCode): FlockError | undefined;
  /** Whether a signal of a principal is passed on. */
  maySignal(principal: string): boolean;
  /** One was passed on to so many sockets. */
  signalled(principal: string, readers: number): void;
  /** Why no socket of a principal is taken at present; undefined where one is. */
  refusalOfOpening(principal: string): FlockError | undefined;
}

interface Account {
  readonly messages: Meter;
  readonly bytes: Meter;
  readonly refusals: Meter;
  readonly signals: Meter;
  /** In milliseconds since 1970. */
  awayUntil: number;
}

type IntakeLimits = Pick<
  RoomLimits,
  "messagesPerSecond" | "bytesInPerSecond" | "refusalsPerSecond" | "signalsPerSecond"
>;

/** Creates the accounts of a room; each rate allows ten seconds' worth at once. */
export function createIntake(limits: IntakeLimits, clock: Pick<Clock, "now">): Intake {
  const { messagesPerSecond, bytesInPerSecond, refusalsPerSecond, signalsPerSecond } = limits;
  const accounts = createByPrincipal<Account>(
    () => ({
      messages: createMeter(),
      bytes: createMeter(),
      refusals: createMeter(),
      signals: createMeter(),
      awayUntil: 0,
    }),
    ({ messages, bytes, refusals, signals, awayUntil }) =>
      Math.max(messages.paidAt, bytes.paidAt, refusals.paidAt, signals.paidAt, awayUntil) <= clock.now(),
  );

  function shutOut(account: Account, message: string): FlockError {
    account.awayUntil = clock.now() + awayMs;
    return new FlockError("edge/rate-limited", message);
  }

  return {
    take(principal, bytes) {
      const account = accounts.of(principal);
      const now = clock.now();
      if (!spend(account.messages, 1, messagesPerSecond, now)) {
        return shutOut(account, tooMuch(principal, `${messagesPerSecond} messages`));
      }
      if (!spend(account.bytes, bytes, bytesInPerSecond, now)) {
        return shutOut(account, tooMuch(principal, `${bytesInPerSecond} bytes`));
      }
      return undefined;
    },
    refused(principal, code) {
      const account = accounts.of(principal);
      const weight = isOffence(code) ? 1 : inPassing;
      if (spend(account.refusals, weight, refusalsPerSecond, clock.now())) return undefined;
      const message = `More than ${refusalsPerSecond} updates of ${principal} were refused a second: correct what their refusals name.`;
      return shutOut(account, message);
    },
    maySignal: (principal) => overdrawnMs(accounts.of(principal).signals, clock.now()) === 0,
    signalled(principal, readers) {
      // To look for a reader that is not there costs as much.
      const amount = Math.max(1, readers);
      spend(accounts.of(principal).signals, amount, signalsPerSecond, clock.now());
    },
    refusalOfOpening(principal) {
      const account = accounts.known(principal);
      if (!account || clock.now() >= account.awayUntil) return undefined;
      const message = `${principal} sent too much, and was shut out for ${awayMs} ms: connect again later.`;
      return new FlockError("edge/rate-limited", message);
    },
  };
}

/** Whether an honest replica gets a refusal at most once a document and connection; gaps and full documents come in runs. */
function isOffence(code: ErrorCode): boolean {
  if (code === "edge/forbidden") return true;
  if (isResync(code)) return false;
  return code.startsWith("gate/") || code.startsWith("protocol/");
}

function tooMuch(principal: string, rate: string): string {
  return `${principal} sends more than ${rate} a second: connect again later, and send less at once.`;
}
