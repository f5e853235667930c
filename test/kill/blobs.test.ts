import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { type RelayProcess, startRelay } from "../../scripts/lib/relay-process.mjs";
import { referencesPath } from "../../src/protocol/index.ts";
import { createRandom } from "../protocol/gate/random.ts";
import type { BlobStep } from "./worker/failing-bucket.ts";

const lives = Number(process.env["FLOCKSTATE_BLOB_KILLS"] ?? 1);
const blobBytes = 600_000;
const persistDir = mkdtempSync(join(tmpdir(), "flockstate-blobs-"));
const script = fileURLToPath(new URL("worker/failing-bucket.ts", import.meta.url));
const random = createRandom(Number(process.env["FLOCKSTATE_SEED"] ?? 1));
let relay: RelayProcess | undefined;

afterAll(async () => {
  await relay?.kill("SIGKILL");
  rmSync(persistDir, { recursive: true, force: true });
});

/** One upload, as far as its client knows. */
interface Upload {
  id: string;
  bytes: Uint8Array<ArrayBuffer>;
  acknowledged: boolean;
}

/** Starts the relay, with a way to wait until an upload stands where it was told to. */
async function start(): Promise<(id: string) => Promise<void>> {
  const standing = new Set<string>();
  const waiting = new Map<string, () => void>();
  relay = await startRelay({
    persistDir,
    script,
    log(line) {
      const [, id] = /\{"standsAt":"[\w-]+","key":"[\w-]+\/(\w+)"\}/.exec(line) ?? [];
      if (id === undefined) return;
      standing.add(id);
      waiting.get(id)?.();
    },
  });
  return (id) =>
    new Promise((resolve) => {
      if (standing.has(id)) resolve();
      else waiting.set(id, resolve);
    });
}

function newUpload(): Upload {
  const bytes = Uint8Array.from({ length: blobBytes }, () => random.below(256));
  return { id: idOf(bytes), bytes, acknowledged: false };
}

function idOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function address({ id }: Upload): string {
  return `${relay?.url}${referencesPath("blobs")}/${id}`;
}

async function put(upload: Upload, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(address(upload), { method: "PUT", body: upload.bytes, headers });
  await response.body?.cancel();
  upload.acknowledged = response.ok;
}

/** Uploads that stand at a step; settles once it stands there. */
async function standAt(step: BlobStep, stands: (id: string) => Promise<void>): Promise<Upload> {
  const upload = newUpload();
  const answered = put(upload, { "x-stand-at": step });
  // It is the kill that breaks the request off.
  answered.catch(() => {});
  const tooEarly = answered.then(() => {
    if (step !== "answered-first") throw new Error(`An upload was answered before it stood at ${step}.`);
  });
  if (step === "answered-first") await tooEarly;
  await Promise.race([stands(upload.id), tooEarly]);
  return upload;
}

/** What of the promises is broken for one upload. */
async function judge(upload: Upload): Promise<string[]> {
  const response = await fetch(address(upload));
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status === 404) return upload.acknowledged ? ["lost"] : [];
  return response.ok && idOf(bytes) === upload.id ? [] : [`damaged: ${response.status}`];
}

const steps = ["before-put", "within-put", "after-put"] as const;

test(`KILL-6: a blob whose upload is cut down at any step is whole or absent, and can be stored again (${lives} kills)`, {
  timeout: (60 + lives * 20) * 1_000,
}, async () => {
  let lost: Upload | undefined;
  for (let life = 0; life < lives; life++) {
    const stands = await start();
    const stored = newUpload();
    await put(stored);
    const cut = await Promise.all(steps.map((step) => standAt(step, stands)));
    lost ??= await standAt("answered-first", stands);
    await relay?.kill("SIGKILL");
    await start();
    const uploads = [stored, ...cut];
    expect(await Promise.all(uploads.map(judge))).toEqual(uploads.map(() => []));
    // The control: an answer that runs ahead of the bucket is seen.
    if (life === 0) expect(await judge(lost)).toEqual(["lost"]);
    for (const upload of cut) {
      await put(upload);
      expect(upload.acknowledged).toBe(true);
      expect(await judge(upload)).toEqual([]);
    }
    await relay?.kill("SIGKILL");
  }
});
