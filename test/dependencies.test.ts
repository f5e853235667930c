import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { projectDir } from "../scripts/lib/doors.mjs";

interface Manifest {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
}

interface Lock {
  packages: Record<string, { resolved?: string; link?: boolean; optional?: boolean }>;
}

const read = (path: string) => readFileSync(projectDir + path, "utf8");
const drivers = JSON.parse(read("test/node/drivers/package.json")) as {
  private: boolean;
  optionalDependencies: Record<string, string>;
};
const lock = JSON.parse(read("package-lock.json")) as Lock;
const manifest = JSON.parse(read("package.json")) as Manifest;

/** The tables of the page, by heading: version by package. */
function documentedVersions(page: string): Record<string, Record<string, string>> {
  const sections = page.split(/^## /m).slice(1);
  return Object.fromEntries(
    sections.map((section) => {
      const rows = [...section.matchAll(/^\| `([^`]+)` \| (\S+) \| .{10,} \|$/gm)];
      return [
        section.split("\n", 1).join(),
        Object.fromEntries(rows.map(([, name, version]) => [name, version])),
      ];
    }),
  );
}

/** Packages whose version is a range. */
const ranges = (versions: Record<string, string>) =>
  Object.entries(versions).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));

describe("dependencies", () => {
  it("DEP-1 are exact, but for peers", () => {
    expect(
      ranges({
        ...manifest.dependencies,
        ...manifest.devDependencies,
        ...drivers.optionalDependencies,
      }),
    ).toEqual([]);
  });

  it("DEP-2 stand in docs/dependencies.md with their version and their reason", () => {
    expect(documentedVersions(read("docs/dependencies.md"))).toEqual({
      "Installed with the library": manifest.dependencies,
      "Expected from the application": manifest.peerDependencies,
      "For development": manifest.devDependencies,
      "For development, where the machine can build it": drivers.optionalDependencies,
    });
  });

  it("DEP-4 that are native are installed for nobody who uses the library, and fail no installation", () => {
    const native = Object.keys(drivers.optionalDependencies);
    expect(native).toEqual(["better-sqlite3"]);
    expect(drivers.private).toBe(true);
    expect(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })).not.toEqual(
      expect.arrayContaining(native),
    );
    for (const name of native) expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
    expect(lock.packages["node_modules/better-sqlite3"]).toMatchObject({ optional: true });
  });

  it("DEP-3 are locked without naming a registry", () => {
    const named = Object.values(lock.packages).filter(({ link }) => !link);
    expect(named.flatMap(({ resolved }) => resolved ?? [])).toEqual([]);
  });

  it("DEP-1 control: a range is seen, and a row without a reason is no row", () => {
    expect(ranges({ a: "^1.0.0", b: "1.0.0" })).toEqual([["a", "^1.0.0"]]);
    expect(documentedVersions("## X\n| `a` | 1.0.0 | |\n")).toEqual({ X: {} });
  });
});
