import { equalBytes } from "../../base/index.ts";
import { type StorageFailure, storageFailureOf } from "../../crdt/index.ts";

/** @throws where the promise does not hold. */
export function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The contract is broken: ${what}.`);
}

/** @throws where two values differ. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const equal =
    actual instanceof Uint8Array && expected instanceof Uint8Array
      ? equalBytes(actual, expected)
      : JSON.stringify(actual) === JSON.stringify(expected);
  check(equal, `${what} is ${show(actual)}, expected ${show(expected)}`);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 200);
}

/** @throws unless the call fails as storage does, for one of these reasons; without any named, for any. */
export async function rejects(
  call: () => Promise<unknown>,
  reasons: readonly StorageFailure[] = [],
): Promise<void> {
  const failure = await call().then(
    () => undefined,
    (caught: unknown) => caught,
  );
  const reason = storageFailureOf(failure);
  check(
    reason !== undefined && (reasons.length === 0 || reasons.includes(reason)),
    `the failure is ${String(failure)}, expected crdt/storage-failed (${reasons.join(" or ") || "any reason"})`,
  );
}
