import { isFlockError } from "../../base/index.ts";
import type { Json, ServiceAnswer, ServiceError } from "../../protocol/index.ts";
import { wordsOf } from "../message/words.ts";
import type { MethodSchemas, Service, ServiceContext, ServiceHandlers } from "./define-service.ts";
import { parsePlain, toPlain } from "./plain-value.ts";
import type { ProgressReport } from "./progress.ts";

/** A call, however it came. */
export interface ServiceCall {
  readonly method: string;
  readonly input: Json | undefined;
  /** `principal.agent` */
  readonly from: string;
  readonly expiresAt: number;
  progress(report: ProgressReport): void;
}

/** What a method came to: the plain answer, and for a caller in this process the output as its schema gives it. */
export interface Executed {
  readonly answer: ServiceAnswer;
  readonly parsed?: unknown;
}

/** A method that runs. */
export interface Running {
  /** Never rejects. */
  readonly executed: Promise<Executed>;
  /** Aborts the method's signal. */
  abort(reason: unknown): void;
}

const maxMessageLength = 1_000;

/** Runs methods of a service that an agent serves. */
export function createExecution<Methods extends Readonly<Record<string, MethodSchemas>>>(
  { name, methods }: Service<Methods>,
  handlers: ServiceHandlers<Methods>,
): (call: ServiceCall) => Running {
  async function execute({ method, input }: ServiceCall, context: ServiceContext): Promise<Executed> {
    const schemas = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (!schemas) return failed("messaging/unknown-method", `The service ${name} has no method ${method}.`);
    // Which of the handlers it is can't be told to the compiler.
    const handle = handlers[method] as (input: unknown, context: ServiceContext) => unknown;
    let taken: unknown;
    try {
      taken = parsePlain(schemas.input, input, `The input of ${name}.${method}`);
      if (taken instanceof Promise) taken = await taken;
    } catch (failure) {
      return failedBy(failure);
    }
    let given: unknown;
    try {
      given = await handle(taken, context);
    } catch (failure) {
      return failed("messaging/request-failed", wordsOf(failure, maxMessageLength));
    }
    try {
      const what = `The output of ${name}.${method}`;
      const output = toPlain(given, what);
      const parsed = parsePlain(schemas.output, output, what);
      const answer: ServiceAnswer = output === undefined ? {} : { output };
      return { answer, parsed: parsed instanceof Promise ? await parsed : parsed };
    } catch (failure) {
      return failedBy(failure);
    }
  }

  return (call) => {
    let controller: AbortController | undefined;
    let aborted: { reason: unknown } | undefined;
    const executed = execute(call, {
      from: call.from,
      expiresAt: call.expiresAt,
      progress: (report) => call.progress(report),
      /** Made for a method that looks at it: it costs more than a short call. */
      get signal() {
        controller ??= new AbortController();
        if (aborted) controller.abort(aborted.reason);
        return controller.signal;
      },
    });
    return {
      executed,
      abort(reason) {
        aborted ??= { reason };
        controller?.abort(reason);
      },
    };
  };
}

function failed(code: ServiceError["code"], message: string): Executed {
  return { answer: { error: { code, message } } };
}

function failedBy(failure: unknown): Executed {
  const code = isFlockError(failure, "messaging/invalid-content") ? failure.code : "messaging/request-failed";
  return failed(code, wordsOf(failure, maxMessageLength));
}
