import * as z from "zod/mini";
import { randomId, type Undo } from "../../base/index.ts";
import {
  addresses,
  agentOf,
  type JsonObject,
  type ServiceAnswer,
  type ServiceSignal,
  serviceAnswerSchema,
  serviceErrorSchema,
  serviceSignalSchema,
} from "../../protocol/index.ts";
import { isServed } from "../consumer/consumer-positions.ts";
import { pick } from "../consumer/rendezvous.ts";
import type { ReceivedMessage } from "../message/message.ts";
import type { Call, ServiceCaller } from "./call-here.ts";
import { atDeadline, expired } from "./deadline.ts";
import { serviceConsumer, serviceType } from "./define-service.ts";
import type { Exchange } from "./exchanges.ts";
import { readReport, tellProgress } from "./progress.ts";
import { isErrorReply } from "./request.ts";
import { firstOffer, type SignalCallEffect, type SignalCallEvent, stepSignalCall } from "./signal-call.ts";

/** Calls an agent elsewhere: by signals where a writer of it that serves is within reach, else, or then, by a message. */
export function callElsewhere(
  caller: ServiceCaller,
  { name, to }: { name: string; to: string },
  { method, input, expiresAt, signal, onProgress }: Call,
): Promise<ServiceAnswer> {
  const { writer, documents, exchanges, clock, random } = caller;
  const { signals } = documents;
  return new Promise((resolve, reject) => {
    const call = randomId(random);
    const target = withinReach(caller, { name, to, call });
    const said = { method, call, ...(input !== undefined && { input }) };
    let { call: state, effects: first } = firstOffer;
    let exchange: Exchange | undefined;
    let stopWait: Undo = () => {};
    let hasEnded = false;

    function say(body: ServiceSignal): boolean {
      return target !== undefined && signals.send({ from: writer.id, to: target, body: body as JsonObject });
    }

    function take(event: SignalCallEvent): void {
      if (hasEnded) return;
      const next = stepSignalCall(state, event);
      state = next.call;
      next.effects.forEach(perform);
    }

    function perform(effect: SignalCallEffect): void {
      switch (effect.type) {
        case "offer":
          if (!say({ kind: "service-call", service: name, expiresAt, ...said }))
            take({ type: "unreachable" });
          return;
        case "wait":
          stopWait();
          stopWait = clock.after(effect.ms, () => take({ type: "waited" }));
          return;
        case "request":
          stopWait();
          exchange = exchanges.begin(
            { to, type: serviceType(name), content: said },
            {
              expiresAt,
              onProgress,
              onReply: (reply) => take({ type: "answered", answer: answerOf(reply) }),
              onUnreadable: fail,
              onGivenUp: fail,
              onFailed: fail,
            },
          );
          return;
        case "finish":
          end();
          exchange?.end({ satisfied: true });
          resolve(effect.answer);
      }
    }

    function hear(heard: ServiceSignal): void {
      if (heard.kind === "service-accepted") take({ type: "accepted" });
      else if (heard.kind === "service-by-lane") take({ type: "by-lane" });
      else if (heard.kind === "service-answer") take({ type: "answered", answer: heard.answer });
      else if (heard.kind === "service-progress" && onProgress && target !== undefined) {
        const report = readReport(heard.report);
        if (report) tellProgress(onProgress, { ...report, from: agentOf(target) ?? target, at: clock.now() });
      }
    }

    function end(): void {
      hasEnded = true;
      stopWait();
      stopTimer();
      stopHearing();
      leave();
      signal?.removeEventListener("abort", onAbort);
    }

    function fail(reason: unknown): void {
      if (hasEnded) return;
      end();
      exchange?.end({ satisfied: false });
      reject(reason);
    }

    function onAbort(): void {
      if (hasEnded) return;
      say({ kind: "service-cancel", service: name, call });
      exchange?.cancel(signal?.reason, { satisfied: false });
      fail(signal?.reason);
    }

    const stopTimer = atDeadline(clock, expiresAt, () => fail(expired(`${name}.${method}`)));
    const leave = exchanges.whileOpen(fail);
    const stopHearing = signals.received.on(({ from, to: receiver, body }) => {
      // Each call that waits hears all of it: a look tells most apart.
      if (receiver !== writer.id || (body as JsonObject | null)?.["call"] !== call) return;
      if (target === undefined || agentOf(from) !== agentOf(target)) return;
      const parsed = z.safeParse(serviceSignalSchema, body);
      if (parsed.success) hear(parsed.data);
    });
    if (signal?.aborted) return onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    if (target === undefined) take({ type: "unreachable" });
    else first.forEach(perform);
  });
}

/** A writer that serves at an address and is here, elsewhere; calls are spread over several. */
function withinReach(
  { documents }: ServiceCaller,
  { name, to, call }: { name: string; to: string; call: string },
): string | undefined {
  const consumer = serviceConsumer(name);
  const serving = documents.presence.others
    .get()
    .flatMap(({ writers }) => writers)
    .filter((id) => addresses(to, id) && isServed(documents.register(id)?.consumers[consumer]));
  return pick(serving, call);
}

function answerOf(reply: ReceivedMessage): ServiceAnswer {
  if (isErrorReply(reply)) {
    const error = z.safeParse(serviceErrorSchema, reply.content);
    const message = `${reply.from} answered with an error that says nothing.`;
    return { error: error.success ? error.data : { code: "messaging/request-failed", message } };
  }
  const parsed = z.safeParse(serviceAnswerSchema, reply.content);
  if (parsed.success) return parsed.data;
  return { error: { code: "messaging/invalid-content", message: `${reply.id} is no answer of a service.` } };
}
