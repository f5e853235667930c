import * as z from "zod/mini";
import { type Clock, FlockError, type Undo } from "../../base/index.ts";
import type { Signals } from "../../crdt/index.ts";
import {
  agentOf,
  type JsonObject,
  type ServiceAnswer,
  type ServiceSignal,
  serviceRequestSchema,
  serviceSignalSchema,
} from "../../protocol/index.ts";
import type { HandlerContext } from "../consumer/handler-context.ts";
import type { ReceivedMessage } from "../message/message.ts";
import { createAttendance } from "./attendance.ts";
import { type CallBookEvent, createCallBook, stepCallBook } from "./call-book.ts";
import { atDeadline, expired } from "./deadline.ts";
import type { MethodSchemas, Service, ServiceHandlers } from "./define-service.ts";
import { createProgressReporter } from "./progress.ts";
import type { ServiceDesk } from "./service-desk.ts";
import { createExecution, type Running, type ServiceCall } from "./service-execution.ts";

export interface ServeOptions {
  /** The writer that the agent is at present. */
  readonly writer: { readonly id: string };
  /** `principal.agent` */
  agent: string;
  desk: ServiceDesk;
  signals: Signals;
  clock: Clock;
  /** Opens the durable consumer of the messages that call the service. */
  consume(handle: (message: ReceivedMessage, context: HandlerContext) => Promise<void>): Undo;
}

/** A method that runs says so as often, well within the time after which its message is delivered again. */
const workingMs = 5_000;

/** Serves a service: to agents of this room object, by signals, and by messages. */
export function serve<Methods extends Readonly<Record<string, MethodSchemas>>>(
  service: Service<Methods>,
  handlers: ServiceHandlers<Methods>,
  options: ServeOptions,
): Undo {
  const { writer, agent, desk, signals, clock, consume } = options;
  const { name } = service;
  const execute = createExecution(service, handlers);
  const callers = createAttendance<(reason: FlockError) => void>();
  const book = createCallBook();
  /** Calls that are about to run, or do. */
  const calls = new Map<string, { call: ServiceCall; settle: () => void }>();
  const running = new Map<string, { abort: Running["abort"]; stopTimer: Undo }>();
  /** Messages whose handlers wait for an answer; undefined says that nobody wants one. */
  const waiting = new Map<string, (answer: ServiceAnswer | undefined) => void>();
  let isStopped = false;

  function take(event: CallBookEvent, reason?: unknown): void {
    for (const effect of isStopped ? [] : stepCallBook(book, event)) {
      if (effect.type === "execute") begin(effect.key);
      else if (effect.type === "abort") running.get(effect.key)?.abort(reason);
      else if (effect.type === "reply") waiting.get(effect.request)?.(effect.answer);
      else if (effect.type === "accept")
        say(effect.to, { kind: "service-accepted", call: callOf(effect.key) });
      else answer(effect.to, callOf(effect.key), effect.answer);
    }
  }

  function say(to: string, body: ServiceSignal): boolean {
    return signals.send({ from: writer.id, to, body: body as JsonObject });
  }

  function answer(to: string, call: string, given: ServiceAnswer): void {
    if (!say(to, { kind: "service-answer", call, answer: given })) say(to, { kind: "service-by-lane", call });
  }

  function begin(key: string): void {
    const { call, settle } = calls.get(key) ?? {};
    if (!call) return;
    const { executed, abort } = execute(call);
    const stopTimer = atDeadline(clock, call.expiresAt, () => {
      take({ type: "expired", key }, expired(`the call of ${name}.${call.method}`));
      release();
    });
    const run = { abort, stopTimer };
    running.set(key, run);
    void executed.then(({ answer: given }) => {
      if (running.get(key) !== run) return;
      release();
      take({ type: "executed", key, answer: given });
    });

    function release(): void {
      stopTimer();
      settle?.();
      running.delete(key);
      calls.delete(key);
    }
  }

  function hear(from: string, said: ServiceSignal): void {
    if (said.kind !== "service-call" && said.kind !== "service-cancel") return;
    const caller = agentOf(from);
    if (caller === undefined) return;
    const { call } = said;
    const key = `${caller}/${call}`;
    if (said.kind === "service-cancel") {
      take({ type: "cancelled", key }, cancelledBy(caller));
      return;
    }
    const { method, input, expiresAt } = said;
    if (!book.taken.has(key)) {
      const reporter = createProgressReporter(clock, (report) =>
        say(from, { kind: "service-progress", call, report: report as JsonObject }),
      );
      const progress = reporter.report;
      calls.set(key, { call: { method, input, from: caller, expiresAt, progress }, settle: reporter.close });
    }
    take({ type: "signalled", key, from, expiresAt, now: clock.now() });
    if (!book.taken.has(key)) calls.delete(key);
  }

  async function handle(message: ReceivedMessage, context: HandlerContext): Promise<void> {
    const { id, from, content, role, expiresAt = Number.MAX_SAFE_INTEGER } = message;
    if (role !== "request") return;
    const parsed = z.safeParse(serviceRequestSchema, content);
    if (!parsed.success) {
      const code = "messaging/invalid-content";
      await context.respond({ code, message: `${id} is no call of a service.` }, { type: "ERROR" });
      return;
    }
    const { method, input, call = id } = parsed.data;
    const key = `${from}/${call}`;
    if (!book.taken.has(key)) {
      const progress = context.progress;
      calls.set(key, { call: { method, input, from, expiresAt, progress }, settle: () => undefined });
    }
    const given = await answered(id, key, context);
    if (!given) throw new FlockError("messaging/cancelled", `Nobody waits for the answer to ${id} any more.`);
    if ("error" in given) await context.respond(given.error, { type: "ERROR" });
    else await context.respond(given as JsonObject);
  }

  /** Waits for what a message's call comes to, be it that it runs already. */
  async function answered(
    request: string,
    key: string,
    { signal, working }: HandlerContext,
  ): Promise<ServiceAnswer | undefined> {
    const abort = (): void => take({ type: "cancelled", key, isForgotten: true }, signal.reason);
    const keepOn = (): void => {
      working();
      stopTimer = clock.after(workingMs, keepOn);
    };
    let stopTimer = clock.after(workingMs, keepOn);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await new Promise((resolve) => {
        waiting.set(request, resolve);
        take({ type: "requested", key, request });
        if (isStopped) resolve(undefined);
      });
    } finally {
      waiting.delete(request);
      stopTimer();
      signal.removeEventListener("abort", abort);
    }
  }

  const stops = [
    // First, because an agent that serves it already has this refused.
    consume(handle),
    desk.offer(name, { agent, run: execute, callers }),
    signals.received.on(({ from, to, body }) => {
      // Each service of each agent here hears all of it: a look tells most apart.
      if (to !== writer.id || (body as JsonObject | null)?.["service"] !== name) return;
      const parsed = z.safeParse(serviceSignalSchema, body);
      if (parsed.success) hear(from, parsed.data);
    }),
  ];
  return () => {
    if (isStopped) return;
    isStopped = true;
    for (const stop of stops) stop();
    const reason = new FlockError("room/closed", `The service ${name} is not served here any more.`);
    for (const { abort, stopTimer } of running.values()) {
      stopTimer();
      abort(reason);
    }
    for (const { settle } of calls.values()) settle();
    for (const resolve of [...waiting.values()]) resolve(undefined);
    for (const stopped of callers.list()) stopped(reason);
  };
}

function callOf(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}

function cancelledBy(caller: string): FlockError {
  return new FlockError("messaging/cancelled", `${caller} has taken its call back.`);
}
