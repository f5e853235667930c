/** The part of Web Locks that the persistence uses, for Node: exclusive locks, never waited for. */
export function createFakeLocks(): LockManager {
  const held = new Set<string>();
  const request = async (
    name: string,
    _: LockOptions,
    use: LockGrantedCallback<unknown>,
  ): Promise<unknown> => {
    if (held.has(name)) return use(null);
    held.add(name);
    try {
      return await use({ name, mode: "exclusive" });
    } finally {
      held.delete(name);
    }
  };
  return {
    request,
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
  } as unknown as LockManager;
}
