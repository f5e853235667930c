import type { RandomBytes } from "../base/index.ts";

/** A random Yjs client id: 32 bits, as Yjs draws them itself, but from the source that the simulator seeds. */
export function randomClient(random: RandomBytes): number {
  const bytes = random(4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}
