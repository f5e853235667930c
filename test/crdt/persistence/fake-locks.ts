/** The part of Web Locks that the persistence uses, for Node: exclusive locks that are never waited for, and shared ones. */
export function createFakeLocks(): LockManager {
  const held: { name: string; mode: LockMode }[] = [];
  const request = async (
    name: string,
    { mode = "exclusive" }: LockOptions,
    use: LockGrantedCallback<unknown>,
  ): Promise<unknown> => {
    if (held.some((lock) => lock.name === name && (mode === "exclusive" || lock.mode === "exclusive"))) {
      return use(null);
    }
    const lock = { name, mode };
    held.push(lock);
    try {
      return await use(lock);
    } finally {
      held.splice(held.indexOf(lock), 1);
    }
  };
  return {
    request,
    query: async () => ({ held: [...held] }),
  } as unknown as LockManager;
}
