import { vi } from "vitest";

type Exports = Record<string, unknown>;

/** Runs over a build of the sources in which one module, named from this folder, is broken; `run` has to import what it plays. */
export async function withBroken<T>(
  module: string,
  breakIt: (sound: Exports) => Exports,
  run: () => Promise<T>,
): Promise<T> {
  vi.resetModules();
  vi.doMock(module, async (original) => {
    const sound = await original<Exports>();
    return { ...sound, ...breakIt(sound) };
  });
  try {
    return await run();
  } finally {
    vi.doUnmock(module);
    vi.resetModules();
  }
}
