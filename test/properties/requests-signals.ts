import type { RoomSocket } from "../../src/edge/index.ts";
import { controlChannel, decodeControl, decodeFrame } from "../../src/protocol/index.ts";
import { createSimulatedRandom } from "../../src/testing/index.ts";
import { relayCode } from "./flock.ts";

/** A relay that loses one signal in five, and passes as many on twice. */
export const noisyRelay: typeof relayCode = {
  createStorage: relayCode.createStorage,
  createCore(ports) {
    const random = createSimulatedRandom("signals");
    const made = new WeakMap<RoomSocket, RoomSocket>();

    function noisy(socket: RoomSocket): RoomSocket {
      const known = made.get(socket) ?? {
        ...socket,
        send(bytes: Uint8Array) {
          const times = isSignal(bytes) ? random.pick([0, 1, 1, 1, 2]) : 1;
          for (let sent = 0; sent < times; sent++) socket.send(bytes);
        },
      };
      made.set(socket, known);
      return known;
    }

    const core = relayCode.createCore({ ...ports, sockets: [...ports.sockets].map(noisy) });
    return {
      ...core,
      accept: (socket, opening) => core.accept(noisy(socket), opening),
      receive: (socket, message) => core.receive(noisy(socket), message),
      drop: (socket) => core.drop(noisy(socket)),
    };
  },
};

function isSignal(bytes: Uint8Array): boolean {
  const [part, ...others] = decodeFrame(bytes);
  if (part?.channel !== controlChannel || others.length > 0) return false;
  return decodeControl(part.payload)?.type === "signalled";
}
