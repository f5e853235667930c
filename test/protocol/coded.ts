import { type ErrorCode, FlockError } from "../../src/base/index.ts";

/** Runs a parser over bytes: whether it took them, refused them with one of the codes, or failed in another way. */
export function outcome<T>(parse: () => T, codes: readonly ErrorCode[]): "taken" | "refused" | "failed" {
  try {
    parse();
    return "taken";
  } catch (failure) {
    return failure instanceof FlockError && codes.includes(failure.code) ? "refused" : "failed";
  }
}
