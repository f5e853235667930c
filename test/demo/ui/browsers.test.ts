import { describe, expect, it } from "vitest";
import { listBrowsers } from "../../../demo/src/ui/people.ts";
import { givenAnalyst } from "../flock/given.ts";

describe("DEMO-17: agents and people are shown by browser", () => {
  const agents = [
    givenAnalyst("analyst-cccc", false),
    givenAnalyst("analyst-bbbb"),
    givenAnalyst("analyst-aaaa"),
    { ...givenAnalyst("analyst-aaaa", false), writer: "anon.analyst-aaaa.older" },
    givenAnalyst("gateway"),
  ];
  const people = [
    { suffix: "aaaa", isWriting: false },
    { suffix: "aaaa", isWriting: true },
    { suffix: "dddd", isWriting: false },
  ];
  const browsers = listBrowsers(agents, people, "bbbb");

  it("one's own first, then who is here, then who is away", () => {
    expect(browsers.map(({ suffix, isYou }) => [suffix, isYou])).toEqual([
      ["bbbb", true],
      ["aaaa", false],
      ["dddd", false],
      ["cccc", false],
    ]);
  });

  it("with its tabs, and whether somebody writes", () => {
    expect(browsers.map(({ tabs, isWriting }) => [tabs, isWriting])).toEqual([
      [0, false],
      [2, true],
      [1, false],
      [0, false],
    ]);
  });

  it("and each agent once, online as long as one of its writers is", () => {
    expect(browsers.map(({ agents: members }) => members.map(({ name, online }) => [name, online]))).toEqual([
      [["analyst-bbbb", true]],
      [["analyst-aaaa", true]],
      [],
      [["analyst-cccc", false]],
    ]);
  });
});
