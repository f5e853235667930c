import { writeFileSync } from "node:fs";
import { it, vi } from "vitest";
import type { Documents } from "../../src/crdt/index.ts";
const caught: Documents[] = [];
vi.mock("../../src/crdt/documents.ts", async (original) => {
  const real = await original<typeof import("../../src/crdt/documents.ts")>();
  return { ...real, openDocuments: async (...a: Parameters<typeof real.openDocuments>) => { const d = await real.openDocuments(...a); caught.push(d); return d; } };
});
import { playFlock } from "./flock.ts";
it("scratch", { timeout: 3_000_000 }, async () => {
  const from = Number(process.env["FROM"] ?? 0), to = Number(process.env["TO"] ?? 100);
  const options = JSON.parse(process.env["OPTS"] ?? "{}");
  const lines: string[] = [];
  let bad = 0; let events = 0;
  const started = Date.now();
  for (let seed = from; seed < to; seed++) {
    const trace: string[] = []; caught.length = 0;
    try { events += (await playFlock(seed, { ...options, ...(process.env["TRACE"] ? { trace: (l: string) => { trace.push(l); } } : {}) })).events; }
    catch (e) { bad++;
      if (process.env["DUMP"]) writeFileSync(`/tmp/dump-${seed}.txt`, caught.map((d) => JSON.stringify({ session: d.session, status: d.status.get(), others: d.presence.others.get(), registers: Object.fromEntries(d.registers()), lanes: [...d.log.writers()].map((w) => [w, d.log.pages(w).map((p) => [p.name, p.previous, p.entries.length])]) }, null, 1)).join("\n=======\n")); lines.push(`#${seed} ${(e as Error).message.split("\n").slice(0, Number(process.env["LINES"] ?? 3)).map((l) => l.slice(0, 300)).join("\n     ")}`); }
    if (process.env["TRACE"]) writeFileSync(`/tmp/trace-${seed}.txt`, trace.join("\n"));
  }
  writeFileSync("/tmp/scratch.txt", `${bad} of ${to - from} bad, ${Date.now() - started} ms, ${events} events\n${lines.join("\n")}\n`);
});
