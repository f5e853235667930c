/**
 * Owns references: bytes under their SHA-256, where they are kept, how they reach the relay, and when a message's
 * content becomes one. Refuses messages, rooms and sockets; whoever holds the link says when it is up.
 */
export type { Reference } from "../protocol/index.ts";
export { createHttpStore, type HttpStoreOptions } from "./http.ts";
export { createInMemoryStore, type InMemoryStoreOptions } from "./in-memory.ts";
export { type IndexedDbStoreOptions, openIndexedDbStore } from "./indexeddb.ts";
export {
  type LayeredStore,
  type LayeredStoreOptions,
  openLayeredStore,
  type ReferenceProblem,
} from "./layered.ts";
export {
  alwaysReference,
  alwaysValue,
  autoPromote,
  type CommunicationPolicy,
  createPolicyManager,
  type PolicyManager,
  type PolicyManagerOptions,
  type Tier,
} from "./policy.ts";
export type {
  LocalPutOptions,
  LocalReferenceStore,
  PutOptions,
  ReferenceStore,
  StoreStats,
  UploadLedger,
  WaitOptions,
} from "./port.ts";
export {
  assertSize,
  closed,
  corrupt,
  defaultContentType,
  nameBytes,
  notFound,
  referenceId,
  verify,
} from "./reference.ts";
export type { ReferenceChange, ReferenceState, ReferenceStatus } from "./states.ts";
export { whenRemote } from "./when-remote.ts";
