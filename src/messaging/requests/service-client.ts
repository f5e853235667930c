import { FlockError } from "../../base/index.ts";
import type { ServiceError } from "../../protocol/index.ts";
import { callElsewhere } from "./call-elsewhere.ts";
import { type Call, callHere, type ServiceCaller } from "./call-here.ts";
import { deadlineOf, expired } from "./deadline.ts";
import type { MethodSchemas, Service, ServiceClient } from "./define-service.ts";
import { parsePlain, toPlain } from "./plain-value.ts";
import type { RequestOptions } from "./request.ts";

export interface ServiceOptions {
  /** Who serves: `planner` for any principal's, `alice.planner` for one. */
  to: string;
  /** For each call that says nothing else. Default 30 s. */
  timeoutMs?: number;
}

type Schemas = Readonly<Record<string, MethodSchemas>>;

/** Creates a client of a service. */
export function createServiceClient<Methods extends Schemas>(
  caller: ServiceCaller,
  { name, methods }: Service<Methods>,
  { to, timeoutMs: eachMs = 30_000 }: ServiceOptions,
): ServiceClient<Methods> {
  const { desk, exchanges, clock } = caller;

  async function invoke(
    method: string,
    schemas: MethodSchemas,
    input: unknown,
    options: RequestOptions,
  ): Promise<unknown> {
    const { timeoutMs = eachMs, signal, onProgress, within } = options;
    const what = `${name}.${method}`;
    const plain = toPlain(input, `The input of ${what}`);
    const expiresAt = deadlineOf(clock, "timeoutMs", timeoutMs, within?.expiresAt);
    // A method never runs in the turn of its caller, wherever it is.
    await Promise.resolve();
    exchanges.assertOpen();
    if (signal?.aborted) throw signal.reason;
    if (expiresAt <= clock.now()) throw expired(what);
    const call: Call = { method, input: plain, expiresAt, signal, onProgress };
    const offer = desk.find(name, to);
    const executed = offer && (await callHere(caller, offer, what, call));
    if (executed && !("error" in executed.answer)) return executed.parsed;
    const answer = executed?.answer ?? (await callElsewhere(caller, { name, to }, call));
    if ("error" in answer) throw failureOf(answer.error, to, what);
    return parsePlain(schemas.output, answer.output, `The output of ${what}`);
  }

  const calls = Object.entries(methods).map(([method, schemas]) => [
    method,
    (input: unknown, options: RequestOptions = {}) => invoke(method, schemas, input, options),
  ]);
  return Object.freeze(Object.fromEntries(calls)) as ServiceClient<Methods>;
}

/** What whoever was asked says of its failure. */
function failureOf({ code, message }: ServiceError, to: string, what: string): FlockError {
  const isOurs = code === "messaging/invalid-content" || code === "messaging/unknown-method";
  return new FlockError(isOurs ? code : "messaging/request-failed", message, {
    details: { to, method: what, code, message },
  });
}
