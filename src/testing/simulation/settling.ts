/** Lets real asynchronous work finish between two events of virtual time, always in the same order. */
export interface Settler {
  /** Resolves once no promise can go on without the next event. */
  settle(): Promise<void>;
  /** Gives the platform its own behaviour back. */
  close(): void;
}

type Digest = SubtleCrypto["digest"];

interface HeldDigest {
  native: Promise<ArrayBuffer>;
  resolve(hash: ArrayBuffer): void;
  reject(failure: unknown): void;
}

/**
 * Creates the settler. Promises alone are settled once a task of their own has run. What is left is hashing:
 * `crypto.subtle.digest` answers from other threads whenever it likes, so until `close` every answer is held
 * back and given one at a time, first asked first, with all that follows from it before the next.
 *
 * @throws RangeError while another simulation holds the digests.
 */
export function createSettler(): Settler {
  const { subtle } = crypto;
  if (Object.hasOwn(subtle, "digest")) throw new RangeError("Another simulation is open: close it first.");
  const digest: Digest = subtle.digest;
  const held: HeldDigest[] = [];
  const { port1, port2 } = new MessageChannel();
  let turn: () => void = () => {};
  port1.onmessage = () => turn();

  Object.defineProperty(subtle, "digest", {
    configurable: true,
    value: (...call: Parameters<Digest>) =>
      new Promise<ArrayBuffer>((resolve, reject) => {
        const native = digest.apply(subtle, call);
        native.catch(() => undefined);
        held.push({ native, resolve, reject });
      }),
  });

  function nextTask(): Promise<void> {
    return new Promise((resolve) => {
      turn = resolve;
      port2.postMessage(undefined);
    });
  }

  return {
    async settle() {
      for (;;) {
        await nextTask();
        const first = held.shift();
        if (!first) return;
        await first.native.then(first.resolve, first.reject);
      }
    },
    close() {
      Reflect.deleteProperty(subtle, "digest");
      port1.close();
      for (const { native, resolve, reject } of held) native.then(resolve, reject);
    },
  };
}
