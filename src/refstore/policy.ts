import { FlockError } from "../base/index.ts";

/** How content travels: `value` inside its message, `reference` beside it. */
export type Tier = "value" | "reference";

/** The rule for one type of message. */
export type CommunicationPolicy =
  | { readonly kind: "always-reference" }
  | { readonly kind: "always-value"; readonly maxBytes: number }
  | { readonly kind: "auto-promote"; readonly thresholdBytes: number };

/** Content of any size travels by reference. */
export function alwaysReference(): CommunicationPolicy {
  return { kind: "always-reference" };
}

/**
 * Content always travels inside its message; more than `maxBytes` (default 64 KiB) is an error, never a promotion.
 *
 * @throws `refstore/invalid-options`
 */
export function alwaysValue({ maxBytes = 64 * 1024 }: { maxBytes?: number } = {}): CommunicationPolicy {
  return { kind: "always-value", maxBytes: parseBytes("maxBytes", maxBytes) };
}

/**
 * Content of more than `thresholdBytes` (default 10 KiB) travels by reference.
 *
 * @throws `refstore/invalid-options`
 */
export function autoPromote({
  thresholdBytes = 10 * 1024,
}: {
  thresholdBytes?: number;
} = {}): CommunicationPolicy {
  return { kind: "auto-promote", thresholdBytes: parseBytes("thresholdBytes", thresholdBytes) };
}

/** Decides by type and size how content travels. Types differing only in case are one type. */
export interface PolicyManager {
  /** The policy of a type; for one that nobody registered, `autoPromote` with the manager's threshold. */
  policyFor(type: string): CommunicationPolicy;
  /** Tells whether content of this type and size is to travel by reference. */
  shouldReference(type: string, sizeBytes: number): boolean;
  /** As `shouldReference`, but @throws `messaging/value-too-large` where a value is required and the size forbids it. */
  choose(type: string, sizeBytes: number): Tier;
  /** Sets the policy of a type, over a named one as well. */
  register(type: string, policy: CommunicationPolicy): void;
}

export interface PolicyManagerOptions {
  /** Above this size content goes by reference unless its type says otherwise; default 10 KiB. */
  thresholdBytes?: number;
  /** Policies by type, over the named ones. */
  policies?: Readonly<Record<string, CommunicationPolicy>>;
}

/**
 * Creates a policy manager that knows the named types: `session_state`, `workflow_context`, `dataset` and `datasets`
 * always by reference; `tool_result`, `api_response` and `document_chunk` by size; `control`, `status`,
 * `acknowledgement`, `ack` and `metadata` always by value.
 *
 * @throws `refstore/invalid-options`
 * @example
 * ```ts
 * const policy = createPolicyManager();
 * policy.choose("tool_result", 12_000); // "reference"
 * policy.choose("STATUS", 12_000); // "value"
 * ```
 */
export function createPolicyManager({
  thresholdBytes,
  policies = {},
}: PolicyManagerOptions = {}): PolicyManager {
  const bySize = autoPromote(thresholdBytes === undefined ? {} : { thresholdBytes });
  const byType = new Map<string, CommunicationPolicy>();

  function register(type: string, policy: CommunicationPolicy): void {
    byType.set(type.toLowerCase(), policy);
  }

  function policyFor(type: string): CommunicationPolicy {
    return byType.get(type.toLowerCase()) ?? bySize;
  }

  function shouldReference(type: string, sizeBytes: number): boolean {
    const policy = policyFor(type);
    if (policy.kind === "auto-promote") return sizeBytes > policy.thresholdBytes;
    return policy.kind === "always-reference";
  }

  for (const type of ["session_state", "workflow_context", "dataset", "datasets"])
    register(type, alwaysReference());
  for (const type of ["tool_result", "api_response", "document_chunk"]) register(type, bySize);
  for (const type of ["control", "status", "acknowledgement", "ack", "metadata"])
    register(type, alwaysValue());
  for (const [type, policy] of Object.entries(policies)) register(type, policy);

  return {
    policyFor,
    shouldReference,
    choose(type, sizeBytes) {
      const policy = policyFor(type);
      if (policy.kind === "always-value" && sizeBytes > policy.maxBytes) {
        throw new FlockError(
          "messaging/value-too-large",
          `Content of type ${type} must travel by value, and ${sizeBytes} bytes are past its limit of ${policy.maxBytes}: shorten it, or register another policy for the type.`,
          { details: { type, sizeBytes, maxBytes: policy.maxBytes } },
        );
      }
      return shouldReference(type, sizeBytes) ? "reference" : "value";
    },
    register,
  };
}

function parseBytes(name: string, value: number): number {
  if (value >= 0) return value;
  throw new FlockError("refstore/invalid-options", `${name} is ${value}: give a number of bytes, 0 or more.`);
}
