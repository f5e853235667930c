import { describe, expect, it } from "vitest";
import {
  agentName,
  bareName,
  birdOf,
  createSuffix,
  hueOf,
  isSuffix,
  readAgentName,
} from "../../../demo/src/flock/names.ts";
import { readPace } from "../../../demo/src/flock/pace.ts";
import { readRoom } from "../../../demo/src/place.ts";

describe("DEMO-12: each browser's agents have names of their own", () => {
  it("made of their role and the browser's suffix", () => {
    const suffix = createSuffix((length) => new Uint8Array(length).map((_, at) => at * 61));
    expect(isSuffix(suffix)).toBe(true);
    expect(readAgentName(agentName("analyst", suffix))).toEqual({ role: "analyst", suffix });
    expect(readAgentName(`anon.writer-${suffix}`)).toEqual({ role: "writer", suffix });
    expect(bareName(`anon.writer-${suffix}`)).toBe(`writer-${suffix}`);
  });

  it.each(["gateway", "analyst", "critic-k3f9", "analyst-K3F9", "analyst-k3f9x"])(
    "%s is none of them",
    (name) => {
      expect(readAgentName(name)).toBeUndefined();
    },
  );

  it("shows the same bird and colour everywhere", () => {
    expect([birdOf("k3f9"), hueOf("k3f9")]).toEqual([birdOf("k3f9"), hueOf("k3f9")]);
    const suffixes = Array.from({ length: 200 }, (_, at) => at.toString(36).padStart(4, "z"));
    expect(new Set(suffixes.map(birdOf)).size).toBeGreaterThan(20);
    expect(new Set(suffixes.map(hueOf)).size).toBe(12);
  });
});

describe("DEMO-13: the address chooses room and pace", () => {
  it.each([
    ["", "demo"],
    ["#room=team-42", "team-42"],
    ["#room=", "demo"],
    ["#x=1&room=b", "b"],
  ])("%j opens %s", (hash, room) => {
    expect(readRoom(hash)).toBe(room);
  });

  it.each([
    [null, 280],
    ["0", 0],
    ["900", 900],
    ["99999", 10_000],
    ["-5", 280],
    ["fast", 280],
  ])("pace %j is %i ms", (asked, ms) => {
    expect(readPace(asked)).toBe(ms);
  });
});
