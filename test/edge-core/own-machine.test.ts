import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleWorker } from "../../scripts/lib/bundle-worker.mjs";
import { projectDir } from "../../scripts/lib/doors.mjs";
import { sha256Hex, toUtf8 } from "../../src/base/index.ts";
import { mintToken } from "../../src/edge/index.ts";
import { readExposition } from "./exposition-reader.ts";

const secret = "a secret of this test, of more than 32 bytes";
const metricsToken = "a token for the metrics of this test";

/** The recipe of `docs/deploy.md` in a folder of its own: bundle, configuration, workerd. */
describe("on a machine of one's own", () => {
  const dir = mkdtempSync(join(tmpdir(), "flockstate-own-"));
  let relay: Awaited<ReturnType<typeof serve>>;
  let token: string;

  async function serve() {
    for (const folder of ["rooms", "references"]) mkdirSync(join(dir, folder), { recursive: true });
    const workerd = createRequire(`${projectDir}node_modules/wrangler/package.json`)("workerd")
      .default as string;
    const child = spawn(
      workerd,
      [
        "serve",
        join(dir, "workerd.capnp"),
        "--control-fd=3",
        "--socket-addr=http=127.0.0.1:0",
        `--directory-path=rooms=${join(dir, "rooms")}`,
        `--directory-path=references=${join(dir, "references")}`,
      ],
      {
        stdio: ["ignore", "inherit", "inherit", "pipe"],
        env: { FLOCKSTATE_TOKEN_SECRET: secret, FLOCKSTATE_METRICS_TOKEN: metricsToken },
      },
    );
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const port = await new Promise<number>((resolve, reject) => {
      child.once("exit", () => reject(new Error("workerd ended before it listened.")));
      createInterface({ input: child.stdio[3] as Readable }).on("line", (line) => {
        const message = JSON.parse(line) as { event: string; port?: number };
        if (message.event === "listen" && message.port !== undefined) resolve(message.port);
      });
    });
    return {
      url: `http://127.0.0.1:${port}`,
      async stop(signal: NodeJS.Signals) {
        child.kill(signal);
        await ended;
      },
    };
  }

  function ask(
    method: string,
    path: string,
    body?: Uint8Array | string,
    type = "text/plain",
  ): Promise<Response> {
    const headers = { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": type }) };
    return fetch(`${relay.url}/v1/rooms/team${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: body as BodyInit }),
    });
  }

  beforeAll(async () => {
    mkdirSync(join(dir, "relay"));
    copyFileSync(`${projectDir}deploy/workerd.capnp`, join(dir, "workerd.capnp"));
    await bundleWorker({ entry: `${projectDir}deploy/worker.ts`, outFile: join(dir, "relay", "worker.js") });
    relay = await serve();
    token = await mintToken({
      secret,
      room: "team",
      subject: "root",
      scopes: ["read", "admin", "refs:get", "refs:put"],
    });
  });

  afterAll(async () => {
    await relay?.stop("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  });

  test("DEPLOY-1: it is healthy, asks for tokens, and shows its metrics to who holds theirs", async () => {
    expect(await (await fetch(`${relay.url}/health`)).json()).toMatchObject({ status: "ok" });
    expect((await fetch(`${relay.url}/v1/rooms/team/status`)).status).toBe(401);
    expect(await (await ask("GET", "/status")).json()).toMatchObject({ condition: "open" });
    expect((await fetch(`${relay.url}/metrics`)).status).toBe(401);
    const metrics = await fetch(`${relay.url}/metrics`, {
      headers: { authorization: `Bearer ${metricsToken}` },
    });
    expect(readExposition(await metrics.text()).has("flockstate_sockets")).toBe(true);
  });

  test("DEPLOY-2: references lie in a folder: what has its hash is kept over a kill, what has not is not", async () => {
    const id = await sha256Hex(toUtf8("some text"));
    const other = await sha256Hex(toUtf8("other text"));
    expect((await ask("GET", `/refs/${id}`)).status).toBe(404);
    expect((await ask("PUT", `/refs/${id}`, "some text")).status).toBe(201);
    expect((await ask("PUT", `/refs/${id}`, "some text")).status).toBe(200);
    expect((await ask("PUT", `/refs/${other}`, "forged")).status).toBe(422);
    expect((await ask("GET", `/refs/${other}`)).status).toBe(404);
    await relay.stop("SIGKILL");
    relay = await serve();
    const got = await ask("GET", `/refs/${id}`);
    expect(got.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(await got.text()).toBe("some text");
    const head = await ask("HEAD", `/refs/${id}`);
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "9"]);
    expect((await ask("DELETE", `/refs/${id}`)).status).toBe(204);
    expect((await ask("GET", `/refs/${id}`)).status).toBe(404);
  });

  test("DEPLOY-3: a room is exported, deleted with its references, and imported again", async () => {
    const id = await sha256Hex(toUtf8("bytes"));
    await ask("PUT", `/refs/${id}`, "bytes");
    const archive = new Uint8Array(await (await ask("GET", "/export")).arrayBuffer());
    expect((await ask("DELETE", "")).status).toBe(204);
    expect(await (await ask("GET", "/status")).json()).toMatchObject({ condition: "deleted" });
    const imported = await ask("PUT", "/import", archive, "application/vnd.flockstate.room");
    expect(imported.status).toBe(200);
    expect(await (await ask("GET", "/status")).json()).toMatchObject({ condition: "open" });
    expect((await ask("GET", `/refs/${id}`)).status).toBe(404);
  });
});
