import { expect, it } from "vitest";
import { createScope } from "../../src/base/index.ts";

it("BASE-10: a scope cleans up last first, each after the one before it", async () => {
  const ran: string[] = [];
  const scope = createScope();
  scope.add(() => ran.push("first"));
  scope.add(async () => {
    await Promise.resolve();
    ran.push("second");
  });
  scope.add(() => ran.push("third"));
  await scope.close();
  expect(ran).toEqual(["third", "second", "first"]);
});

it("BASE-10: closing twice cleans up once, and both calls wait", async () => {
  let ran = 0;
  const scope = createScope();
  scope.add(async () => {
    await Promise.resolve();
    ran++;
  });
  const both = [scope.close(), scope.close()];
  expect([scope.closed, scope.signal.aborted]).toEqual([true, true]);
  await Promise.all(both);
  await scope.close();
  expect(ran).toBe(1);
});

it("BASE-11: every clean-up runs although one fails, and the first failure is told", async () => {
  const ran: string[] = [];
  const scope = createScope();
  scope.add(() => ran.push("last"));
  scope.add(() => Promise.reject(new Error("second failure")));
  scope.add(() => {
    throw new Error("first failure");
  });
  await expect(scope.close()).rejects.toThrow("first failure");
  expect(ran).toEqual(["last"]);
});

it("BASE-12: what is added to a closed scope is cleaned up at once", async () => {
  const scope = createScope();
  expect([scope.closed, scope.signal.aborted]).toEqual([false, false]);
  await scope.close();
  let ran = false;
  scope.add(() => {
    ran = true;
  });
  expect(ran).toBe(true);
});
