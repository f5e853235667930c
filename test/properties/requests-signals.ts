import { controlChannel, decodeControl, decodeFrame } from "../../src/protocol/index.ts";
import { createSimulatedRandom } from "../../src/testing/index.ts";
import { relayCode } from "./flock.ts";

/** A relay that loses one signal in five, and takes as many for two. */
export const noisyRelay: typeof relayCode = {
  createStorage: relayCode.createStorage,
  createCore(ports) {
    const random = createSimulatedRandom("signals");
    const core = relayCode.createCore(ports);
    return {
      ...core,
      receive(socket, message) {
        const times = isSignal(message) ? random.pick([0, 1, 1, 1, 2]) : 1;
        for (let taken = 0; taken < times; taken++) core.receive(socket, message);
      },
    };
  },
};

function isSignal(bytes: Uint8Array): boolean {
  const [part, ...others] = decodeFrame(bytes);
  if (part?.channel !== controlChannel || others.length > 0) return false;
  return decodeControl(part.payload).type === "signal";
}
