/**
 * Owns what tests of rooms and of ports need: contract suites, a simulated world of replicas, network, clock and
 * storage that a seed decides, and the exploration of what may happen in it. Refuses to be imported by anything but tests.
 */
export {
  type Exploration,
  ExplorationError,
  type ExploreOptions,
  explore,
  type Progress,
} from "./exploration/explore.ts";
export { defaultFaults, type FaultMix, type FaultName, faultNames } from "./exploration/faults.ts";
export {
  defineFlock,
  type FlockDefinition,
  type FlockSetup,
  type Opening,
} from "./exploration/flock.ts";
export type { FlockStep } from "./exploration/flock-step.ts";
export type { FlockReplica, Furnished } from "./exploration/member.ts";
export type { Scenario, World } from "./exploration/scenario.ts";
export { type SettleOptions, settle } from "./exploration/settle.ts";
export {
  differencesBetween,
  type NamedSnapshot,
  type RoomReader,
  type RoomSnapshot,
  snapshotOf,
} from "./exploration/snapshot.ts";
export type { PersistenceFaults } from "./persistence/backend.ts";
export { persistenceContract } from "./persistence-contract.ts";
export {
  type ContractCase,
  localReferenceStoreContract,
  referenceStoreContract,
} from "./reference-store-contract.ts";
export { roomStorageContract } from "./room-storage-contract.ts";
export type { BrowserFaults, SimulatedBrowser } from "./simulation/browser.ts";
export type { DiskFaults } from "./simulation/disk.ts";
export type { CutOptions, PartitionOptions } from "./simulation/network.ts";
export { createSimulatedRandom, type SimulatedRandom } from "./simulation/random.ts";
export type {
  RelayCode,
  RelayCore,
  RelayCorePorts,
  RelayFaults,
  RelaySocket,
  SimulatedRelay,
} from "./simulation/relay.ts";
export type { SimulatedIdentity, SimulatedReplica } from "./simulation/replica.ts";
export {
  createSimulation,
  type SimulatedBrowserOptions,
  type SimulatedLatency,
  type SimulatedReplicaOptions,
  type Simulation,
  type SimulationOptions,
  type SimulationStep,
} from "./simulation/simulation.ts";
export type { TabChannelFaults } from "./simulation/tab-channels.ts";
export type { RelayGrant } from "./simulation/tokens.ts";
