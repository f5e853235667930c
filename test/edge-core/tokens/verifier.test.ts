import { describe, expect, test } from "vitest";
import { createAccess } from "../../../src/edge/http/access.ts";
import { parseSettings } from "../../../src/edge/http/settings.ts";
import { room, tokenCases } from "./token-cases.ts";

const cases = await tokenCases();

test("TOKEN-1: the matrix has at least forty cases, of both verdicts", () => {
  expect(cases.length).toBeGreaterThanOrEqual(40);
  expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length);
});

describe("TOKEN-1: a token is judged", () => {
  for (const { title, settings, token, code, says = "", grant = {} } of cases) {
    test(`${title}: ${code ?? "holds"}`, async () => {
      const { tokens } = createAccess(parseSettings(settings));
      const presented = await token();
      const verdict = tokens.verify(presented, room);
      if (code === undefined) {
        expect(await verdict).toMatchObject(grant);
        return;
      }
      const refusal = await verdict.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refusal).toMatchObject({ code, message: expect.stringContaining(says) });
      // What is wrong is said, the token never is.
      expect(JSON.stringify([String(refusal), (refusal as { details: unknown }).details])).not.toContain(
        presented,
      );
      expect(refusal).not.toHaveProperty("cause");
    });
  }

  test("TOKEN-2: none at all is edge/token-required", async () => {
    const { tokens } = createAccess(parseSettings({ FLOCKSTATE_TOKEN_SECRET: "s".repeat(32) }));
    await expect(tokens.verify(undefined, room)).rejects.toMatchObject({ code: "edge/token-required" });
    await expect(tokens.verify("", room)).rejects.toMatchObject({ code: "edge/token-required" });
  });
});
