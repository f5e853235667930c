import * as z from "zod/mini";
import { isJson, type Json } from "./json.ts";

/*
 * What a caller and a service tell each other by signals. All of it may be lost, come twice or out of order; what must not
 * be lost is said in lanes.
 */

/** What the type of a request begins with that calls a service by a message; the service's name follows. */
export const serviceTypePrefix = "service.";

const call = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/));
const name = z.string().check(z.minLength(1), z.maxLength(64));
const json = z.custom<Json>(isJson);

/** Why a call failed, as whoever asked is told. */
export const serviceErrorSchema = z.object({
  code: z.string().check(z.maxLength(100)),
  message: z.string().check(z.maxLength(4_000)),
});
export type ServiceError = z.infer<typeof serviceErrorSchema>;

/** What a call came to. A method without a result has no `output`. */
export const serviceAnswerSchema = z.union([
  z.strictObject({ error: serviceErrorSchema }),
  z.strictObject({ output: z.optional(json) }),
]);
export type ServiceAnswer = z.infer<typeof serviceAnswerSchema>;

/** The content of a call's message. */
export const serviceRequestSchema = z.object({
  method: name,
  input: z.optional(json),
  /** The call that a signal may have told of before: it is executed once. */
  call: z.optional(call),
});
export type ServiceRequest = z.infer<typeof serviceRequestSchema>;

export const serviceSignalSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("service-call"),
    service: name,
    call,
    method: name,
    input: z.optional(json),
    /** Milliseconds since the epoch. */
    expiresAt: z.int().check(z.nonnegative()),
  }),
  z.object({ kind: z.literal("service-accepted"), call }),
  z.object({ kind: z.literal("service-progress"), call, report: json }),
  z.object({ kind: z.literal("service-answer"), call, answer: serviceAnswerSchema }),
  /** The answer is no signal: it is given to the call's message. */
  z.object({ kind: z.literal("service-by-lane"), call }),
  z.object({ kind: z.literal("service-cancel"), service: name, call }),
]);
export type ServiceSignal = z.infer<typeof serviceSignalSchema>;
