/** Which databases are open, in any tab: each is a shared Web Lock, which dies with its tab. */
export interface OpenDatabases {
  /** Marks one as open; the result resolves once it no longer is. Without Web Locks nothing is marked. */
  mark(name: string): Promise<() => Promise<void>>;
  /** Those whose names begin with `prefix`. */
  list(prefix: string): Promise<string[]>;
}

const lockPrefix = "open:";

/** Creates the marks over the browser's locks. */
export function createOpenDatabases(locks: LockManager | undefined): OpenDatabases {
  return {
    mark(name) {
      if (!locks) return Promise.resolve(async () => undefined);
      return new Promise((resolve, reject) => {
        let release: () => void = () => {};
        const held = locks.request(`${lockPrefix}${name}`, { mode: "shared" }, () => {
          resolve(async () => {
            release();
            await held;
          });
          return new Promise<void>((end) => {
            release = end;
          });
        });
        held.catch(reject);
      });
    },
    async list(prefix) {
      const { held = [] } = (await locks?.query()) ?? {};
      return held.flatMap(({ name = "" }) =>
        name.startsWith(`${lockPrefix}${prefix}`) ? [name.slice(lockPrefix.length)] : [],
      );
    },
  };
}
