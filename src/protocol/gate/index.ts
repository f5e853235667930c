/**
 * Owns the judgement of foreign bytes: whether a Yjs V1 update may be applied, by its bytes and a few known clocks,
 * without building a document; relay and clients run the same code. Refuses to know who a Yjs client belongs to,
 * what a schema says, or where bytes came from.
 */
export { pageRoot, registerKey, registerRoot } from "./profiles.ts";
export { scanUpdate } from "./scan.ts";
export {
  type Acceptance,
  type AcceptedRange,
  type GateCode,
  type GateContext,
  type GateLimits,
  type GateOptions,
  type GatePlace,
  type GateProfile,
  type GateVerdict,
  gateLimits,
  isResync,
  type PlaceRun,
  type Refusal,
  rootPlace,
} from "./verdict.ts";
