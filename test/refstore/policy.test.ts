import { describe, expect, test } from "vitest";
import { alwaysReference, alwaysValue, autoPromote, createPolicyManager } from "../../src/refstore/index.ts";

const kib = 1024;

describe("REF-30: the named policies", () => {
  const policy = createPolicyManager();
  for (const type of ["session_state", "workflow_context", "dataset", "datasets"]) {
    test(`${type} is always a reference`, () => {
      expect([0, 1, 10 * kib, 1024 * kib].map((size) => policy.choose(type, size))).toEqual(
        Array(4).fill("reference"),
      );
    });
  }
  for (const type of ["tool_result", "api_response", "document_chunk", "TASK_RESULT", "anything"]) {
    test(`${type} goes by size: 10 KiB is a value, one byte more a reference`, () => {
      expect([0, 10 * kib, 10 * kib + 1].map((size) => policy.choose(type, size))).toEqual([
        "value",
        "value",
        "reference",
      ]);
      expect(policy.shouldReference(type, 10 * kib)).toBe(false);
      expect(policy.shouldReference(type, 10 * kib + 1)).toBe(true);
    });
  }
  for (const type of ["control", "status", "acknowledgement", "ack", "metadata"]) {
    test(`${type} is always a value, and past 64 KiB messaging/value-too-large`, () => {
      expect([0, 10 * kib + 1, 64 * kib].map((size) => policy.choose(type, size))).toEqual(
        Array(3).fill("value"),
      );
      expect(() => policy.choose(type, 64 * kib + 1)).toThrow(
        expect.objectContaining({ code: "messaging/value-too-large" }),
      );
      expect(policy.shouldReference(type, 64 * kib + 1)).toBe(false);
    });
  }
});

test("REF-31: types that differ only in case are one type", () => {
  const policy = createPolicyManager({ policies: { Big_Thing: alwaysReference() } });
  expect(policy.choose("STATUS", 20 * kib)).toBe("value");
  expect(policy.choose("Session_State", 1)).toBe("reference");
  expect(policy.choose("big_THING", 1)).toBe("reference");
});

test("REF-32: the threshold of the manager holds for types by size, its policies over the named ones", () => {
  const policy = createPolicyManager({
    thresholdBytes: 100,
    policies: { tool_result: autoPromote({ thresholdBytes: 5 }), status: alwaysReference() },
  });
  expect(policy.choose("unknown", 101)).toBe("reference");
  expect(policy.choose("api_response", 101)).toBe("reference");
  expect(policy.choose("tool_result", 6)).toBe("reference");
  expect(policy.choose("status", 0)).toBe("reference");
});

test("REF-32: register replaces a policy, of one manager only", () => {
  const [one, other] = [createPolicyManager(), createPolicyManager()];
  one.register("Dataset", alwaysValue({ maxBytes: 3 }));
  expect(one.policyFor("dataset")).toEqual({ kind: "always-value", maxBytes: 3 });
  expect(one.choose("dataset", 3)).toBe("value");
  expect(() => one.choose("dataset", 4)).toThrow(
    expect.objectContaining({ code: "messaging/value-too-large" }),
  );
  expect(other.choose("dataset", 3)).toBe("reference");
});

test("REF-32: a type named like a property of objects is an unknown type", () => {
  expect(createPolicyManager().policyFor("__proto__")).toEqual(autoPromote());
  expect(createPolicyManager().policyFor("constructor")).toEqual(autoPromote());
});

test("REF-32: a size that is none is refstore/invalid-options", () => {
  for (const size of [-1, Number.NaN]) {
    const invalid = expect.objectContaining({ code: "refstore/invalid-options" });
    expect(() => autoPromote({ thresholdBytes: size })).toThrow(invalid);
    expect(() => alwaysValue({ maxBytes: size })).toThrow(invalid);
    expect(() => createPolicyManager({ thresholdBytes: size })).toThrow(invalid);
  }
});
