/**
 * Owns what tests of rooms and of ports need: contract suites, and a simulated world of replicas, network, clock and
 * storage that a seed decides. Refuses to be imported by anything but tests.
 */
export { persistenceContract } from "./persistence-contract.ts";
export {
  type ContractCase,
  localReferenceStoreContract,
  referenceStoreContract,
} from "./reference-store-contract.ts";
export { roomStorageContract } from "./room-storage-contract.ts";
export type { CutOptions } from "./simulation/network.ts";
export { createSimulatedRandom, type SimulatedRandom } from "./simulation/random.ts";
export type {
  RelayCode,
  RelayCore,
  RelayCorePorts,
  RelaySocket,
  SimulatedRelay,
} from "./simulation/relay.ts";
export type { SimulatedIdentity, SimulatedReplica } from "./simulation/replica.ts";
export {
  createSimulation,
  type SimulatedLatency,
  type Simulation,
  type SimulationOptions,
  type SimulationStep,
} from "./simulation/simulation.ts";
export type { TabChannelFaults } from "./simulation/tab-channels.ts";
export type { RelayGrant } from "./simulation/tokens.ts";
