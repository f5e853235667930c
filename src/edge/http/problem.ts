import type { ErrorCode } from "../../base/index.ts";

/** Answers with a problem: a code to switch on, and a sentence for people. */
export function problem(status: number, code: ErrorCode, message: string): Response {
  return new Response(JSON.stringify({ code, message }), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
