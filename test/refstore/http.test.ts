import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sha256Hex, toUtf8 } from "../../src/base/index.ts";
import { createHttpStore } from "../../src/refstore/index.ts";
import { referenceStoreContract } from "../../src/testing/reference-store-contract.ts";
import { openReferenceServer, problem, type ReferenceServer } from "./http-server.ts";

let server: ReferenceServer;
beforeAll(async () => {
  server = await openReferenceServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.stored.clear();
  server.requests.length = 0;
  server.intercept = () => false;
});

describe("the contract over HTTP", () => {
  const open = async () => createHttpStore({ baseUrl: server.baseUrl });
  for (const { id, title, run } of referenceStoreContract(open)) test(`${id}: ${title}`, run);
});

const bytes = toUtf8("content");
const openStore = () => createHttpStore({ baseUrl: `${server.baseUrl}/` });

test("REF-16: a put carries content type, condition and the caller's headers, asked for each time", async () => {
  let asked = 0;
  const store = createHttpStore({
    baseUrl: server.baseUrl,
    headers: async () => ({ authorization: `Bearer token-${++asked}` }),
  });
  const { id } = await store.put(bytes, { contentType: "text/plain" });
  await store.get(id);
  expect(server.requests.map(({ method, headers }) => [method, headers.authorization])).toEqual([
    ["PUT", "Bearer token-1"],
    ["GET", "Bearer token-2"],
  ]);
  expect(server.requests[0]?.headers).toMatchObject({ "content-type": "text/plain", "if-none-match": "*" });
});

test("REF-33: an answer of 401 is asked for once more, with headers that know of it; a second one stands", async () => {
  let valid = "Bearer fresh";
  server.intercept = ({ headers }, response) => {
    if (headers.authorization === valid) return false;
    problem(response, 401, "edge/token-expired");
    return true;
  };
  const asked: boolean[] = [];
  const store = createHttpStore({
    baseUrl: server.baseUrl,
    headers({ refused }) {
      asked.push(refused);
      return { authorization: refused ? "Bearer fresh" : "Bearer stale" };
    },
  });
  const { id } = await store.put(bytes);
  expect(await store.get(id)).toEqual(bytes);
  expect(asked).toEqual([false, true, false, true]);
  valid = "none";
  await expect(store.get(id)).rejects.toMatchObject({
    code: "refstore/refused",
    details: { status: 401, code: "edge/token-expired" },
  });
  expect(asked).toHaveLength(6);
});

test("REF-33: without headers to ask for, a 401 stands at once", async () => {
  server.intercept = (_request, response) => {
    problem(response, 401, "edge/token-required");
    return true;
  };
  await expect(openStore().put(bytes)).rejects.toMatchObject({ code: "refstore/refused" });
  expect(server.requests).toHaveLength(1);
});

test("REF-16: has and delete use HEAD and DELETE", async () => {
  const store = openStore();
  const { id } = await store.put(bytes);
  await store.has(id);
  await store.delete(id);
  expect(server.requests.map((request) => `${request.method} ${request.id}`)).toEqual([
    `PUT ${id}`,
    `HEAD ${id}`,
    `DELETE ${id}`,
  ]);
});

test("REF-14: bytes with another hash are refstore/corrupt, cut short or changed", async () => {
  const store = openStore();
  const { id } = await store.put(bytes);
  for (const damaged of ["Content", "conten", "content and more", ""]) {
    server.stored.set(id, { bytes: Buffer.from(damaged), contentType: "text/plain" });
    await expect(store.get(id)).rejects.toMatchObject({ code: "refstore/corrupt" });
  }
});

test("REF-7: an answer without end is cut at the cap", async () => {
  server.intercept = (_request, response) => {
    const block = Buffer.alloc(1024 * 1024);
    const pump = () => {
      while (!response.destroyed && response.write(block));
    };
    response.on("drain", pump).on("error", () => undefined);
    pump();
    return true;
  };
  await expect(openStore().get("0".repeat(64))).rejects.toMatchObject({ code: "refstore/too-large" });
});

describe("REF-17: answers", () => {
  const expectations = [
    [500, "refstore/unavailable"],
    [503, "refstore/unavailable"],
    [408, "refstore/unavailable"],
    [429, "refstore/unavailable"],
    [400, "refstore/refused"],
    [401, "refstore/refused"],
    [403, "refstore/refused"],
    [413, "refstore/refused"],
  ] as const;
  for (const [status, code] of expectations) {
    test(`${status} is ${code}, for every method`, async () => {
      server.intercept = (request, response) => {
        request.resume();
        problem(response, status, "edge/some-code");
        return true;
      };
      const store = openStore();
      const id = await sha256Hex(bytes);
      for (const call of [
        () => store.put(bytes),
        () => store.get(id),
        () => store.has(id),
        () => store.delete(id),
      ]) {
        await expect(call()).rejects.toMatchObject({ code, details: { status } });
      }
    });
  }

  test("404 to a put is refused: it says nothing about the bytes", async () => {
    server.intercept = (request, response) => {
      request.resume();
      problem(response, 404, "protocol/invalid-room");
      return true;
    };
    await expect(openStore().put(bytes)).rejects.toMatchObject({
      code: "refstore/refused",
      details: { status: 404, code: "protocol/invalid-room" },
    });
  });

  test("412 to a put says that the bytes are there", async () => {
    server.intercept = (request, response) => {
      request.resume();
      response.writeHead(412).end();
      return true;
    };
    expect(await openStore().put(bytes)).toMatchObject({ size: 7 });
  });

  test("a refusal that is no problem document still has its status", async () => {
    server.intercept = (_request, response) => {
      response.writeHead(403, { "content-type": "text/html" }).end("<h1>no</h1>");
      return true;
    };
    await expect(openStore().get("0".repeat(64))).rejects.toMatchObject({
      code: "refstore/refused",
      details: { status: 403 },
    });
  });
});

test("REF-17: no server, a cut connection and failing headers are refstore/unavailable", async () => {
  const gone = await openReferenceServer();
  await gone.close();
  await expect(createHttpStore({ baseUrl: gone.baseUrl }).put(bytes)).rejects.toMatchObject({
    code: "refstore/unavailable",
  });
  server.intercept = (request) => {
    request.socket.destroy();
    return true;
  };
  await expect(openStore().get("0".repeat(64))).rejects.toMatchObject({ code: "refstore/unavailable" });
  server.intercept = (_request, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("half", () => response.destroy());
    return true;
  };
  await expect(openStore().get("0".repeat(64))).rejects.toMatchObject({ code: "refstore/unavailable" });
  const headers = () => Promise.reject(new Error("no token"));
  await expect(createHttpStore({ baseUrl: server.baseUrl, headers }).put(bytes)).rejects.toMatchObject({
    code: "refstore/unavailable",
  });
});

test("REF-8: an abort in mid-request rejects with its reason; a close with refstore/closed", async () => {
  let arrived: () => void = () => undefined;
  const arrival = () =>
    new Promise<void>((resolve) => {
      arrived = resolve;
    });
  server.intercept = () => {
    arrived();
    return true;
  };
  const store = openStore();
  const controller = new AbortController();
  let arrives = arrival();
  const aborted = store.get("0".repeat(64), { signal: controller.signal });
  aborted.catch(() => undefined);
  await arrives;
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  arrives = arrival();
  const cut = store.get("0".repeat(64));
  cut.catch(() => undefined);
  await arrives;
  await store.close();
  await expect(cut).rejects.toMatchObject({ code: "refstore/closed" });
});
