import { spawn } from "node:child_process";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { projectDir } from "../../../scripts/lib/doors.mjs";

export interface ChildOptions {
  driver: string;
  /** A file or folder from which the driver is found. */
  driversDir: string;
  directory: string;
  room: string;
  /** Begins everything that it writes. */
  life: string;
  /** How much it writes; without it, for ever. */
  writes?: number;
  /** Says that writes are done before they are. */
  lie?: boolean;
}

/** One line of a child: who it is, and what was promised to it. */
export type Said =
  | { writer: string }
  | { message: string; content: string }
  | { key: string }
  | { reference: string }
  | { problem: string }
  | { done: true };

/** A process that writes into a room. */
export interface Child {
  readonly said: readonly Said[];
  /** Resolves once it has said so, or has ended. */
  until(holds: (said: Said) => boolean): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves with its exit code when it is gone. */
  readonly ended: Promise<number | null>;
}

/** Bundles the child's program; the driver stays outside, as it is handed in. */
export async function bundleChild(dir: string): Promise<string> {
  const outFile = join(dir, "child.mjs");
  await build({
    root: projectDir,
    configFile: false,
    logLevel: "warn",
    ssr: { noExternal: true, target: "node" },
    build: {
      ssr: fileURLToPath(new URL("child.ts", import.meta.url)),
      outDir: dirname(outFile),
      emptyOutDir: false,
      target: "es2022",
      minify: false,
      rolldownOptions: { output: { entryFileNames: basename(outFile) } },
    },
  });
  return outFile;
}

export function startChild(program: string, options: Omit<ChildOptions, "driversDir">): Child {
  const child = spawn(
    process.execPath,
    // What it prints there is a problem, and to Node an experimental module is one.
    [
      "--no-warnings",
      program,
      JSON.stringify({ ...options, driversDir: import.meta.url } satisfies ChildOptions),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const said: Said[] = [];
  const waiting = new Set<() => void>();
  const look = (): void => {
    for (const each of waiting) each();
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    said.push(JSON.parse(line) as Said);
    look();
  });
  createInterface({ input: child.stderr }).on("line", (problem) => said.push({ problem }));
  let gone = false;
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      gone = true;
      resolve(code);
      look();
    });
  });
  return {
    said,
    ended,
    until: (holds) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!gone && !said.some(holds)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
