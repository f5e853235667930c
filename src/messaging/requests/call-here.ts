import type { Clock, RandomBytes } from "../../base/index.ts";
import type { Documents } from "../../crdt/index.ts";
import type { Json } from "../../protocol/index.ts";
import { atDeadline, expired } from "./deadline.ts";
import type { Exchanges } from "./exchanges.ts";
import { createProgressReporter, type Progress, parseReport, tellProgress } from "./progress.ts";
import type { ServiceDesk, ServiceOffer } from "./service-desk.ts";
import type { Executed, Running } from "./service-execution.ts";

/** What an agent calls services with. */
export interface ServiceCaller {
  readonly writer: { readonly id: string };
  /** `principal.agent` */
  agent: string;
  desk: ServiceDesk;
  documents: Pick<Documents, "signals" | "presence" | "register">;
  exchanges: Exchanges;
  clock: Clock;
  random: RandomBytes;
}

/** A call that is under way. */
export interface Call {
  readonly method: string;
  readonly input: Json | undefined;
  readonly expiresAt: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** Calls an agent of this room object; undefined where it stops serving before there is an answer. */
export function callHere(
  { agent, clock, exchanges }: ServiceCaller,
  offer: ServiceOffer,
  what: string,
  { method, input, expiresAt, signal, onProgress }: Call,
): Promise<Executed | undefined> {
  return new Promise((resolve, reject) => {
    const from = offer.agent;
    const reporter =
      onProgress &&
      createProgressReporter(clock, (report) =>
        tellProgress(onProgress, { ...report, from, at: clock.now() }),
      );
    let run: Running | undefined;
    let hasEnded = false;

    function end(): boolean {
      if (hasEnded) return false;
      hasEnded = true;
      reporter?.close();
      stopTimer();
      stopWaiting();
      leave();
      signal?.removeEventListener("abort", onAbort);
      return true;
    }

    function fail(reason: unknown): void {
      if (!end()) return;
      run?.abort(reason);
      reject(reason);
    }

    function onAbort(): void {
      fail(signal?.reason);
    }

    const stopTimer = atDeadline(clock, expiresAt, () => fail(expired(what)));
    const stopWaiting = offer.callers.enter((reason) => {
      end();
      run?.abort(reason);
      resolve(undefined);
    });
    const leave = exchanges.whileOpen(fail);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    run = offer.run({
      method,
      input,
      from: agent,
      expiresAt,
      // Refused as it would be by any other way, also where nobody listens.
      progress: (report) => (reporter ? reporter.report(report) : void parseReport(report)),
    });
    void run.executed.then((executed) => end() && resolve(executed));
  });
}
