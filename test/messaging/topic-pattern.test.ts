import fc from "fast-check";
import { expect, it } from "vitest";
import { isTopicPattern, matchesTopic } from "../../src/messaging/filter/topic-pattern.ts";

/** The same by words, one after the other. */
function fitsByWords(pattern: readonly string[], topic: readonly string[]): boolean {
  const [expected, ...restOfPattern] = pattern;
  const [word, ...restOfTopic] = topic;
  if (expected === undefined || word === undefined) return expected === undefined && word === undefined;
  if (expected === ">" && restOfPattern.length === 0) return true;
  return (expected === "*" || expected === word) && fitsByWords(restOfPattern, restOfTopic);
}

const word = fc.constantFrom("a", "b", "ab", "a-b", "_");
/** A topic, and a pattern that is often made of it. */
const pair = fc
  .record({
    topic: fc.array(word, { minLength: 1, maxLength: 7 }),
    changes: fc.array(fc.oneof({ weight: 4, arbitrary: fc.constant("same") }, fc.constant("*"), word), {
      minLength: 7,
      maxLength: 7,
    }),
    length: fc.integer({ min: 0, max: 7 }),
    rest: fc.option(fc.oneof({ weight: 3, arbitrary: fc.constant(">") }, word)),
  })
  .map(({ topic, changes, length, rest }) => {
    const words = topic
      .slice(0, length)
      .map((each, at) => (changes[at] === "same" ? each : (changes[at] ?? each)));
    return { topic, pattern: rest === null && words.length > 0 ? words : [...words, rest ?? "*"] };
  });

const agrees = (matches: typeof matchesTopic) =>
  fc.property(pair, ({ topic, pattern }) => {
    expect(matches(pattern.join("."), topic.join("."))).toBe(fitsByWords(pattern, topic));
  });

it("MSG-100: a pattern takes a topic word by word: `*` is one, `>` at the end one or more", () => {
  fc.assert(agrees(matchesTopic), { numRuns: 2_000 });
});

it.each<[string, typeof matchesTopic]>([
  ["takes no word for `>`", (pattern, topic) => matchesTopic(pattern, topic) || pattern === `${topic}.>`],
  [
    "takes a word by its beginning",
    (pattern, topic) => matchesTopic(pattern, topic) || topic.startsWith(pattern),
  ],
  ["takes several for `*`", (pattern, topic) => matchesTopic(pattern.replaceAll("*", ">"), topic)],
])("MSG-100: the property fails where a matcher %s", (_, broken) => {
  expect(() => fc.assert(agrees(broken), { numRuns: 2_000 })).toThrow();
});

it.each([
  ["", false],
  [".", false],
  ["a..b", false],
  ["a.", false],
  [".a", false],
  ["a.>.b", false],
  ["a*", false],
  ["a.b>", false],
  ["a b", false],
  ["a.b.c.d.e.f.g.h.i", false],
  ["w".repeat(65), false],
  [7, false],
  [undefined, false],
  [">", true],
  ["*", true],
  ["a.*.>", true],
  ["*.*.*.*.*.*.*.>", true],
  ["w".repeat(64), true],
])("MSG-101: whether %j is a pattern: %s", (text, is) => {
  expect(isTopicPattern(text)).toBe(is);
  if (!is) expect(matchesTopic(text as string, "a")).toBe(false);
});

it("MSG-101: what is no topic fits no pattern by half", () => {
  for (const text of ["", ".", "a.", ".a", "a..b"]) {
    expect([matchesTopic("a", text), matchesTopic("a.*", text), matchesTopic("*.*", text)]).toEqual([
      false,
      false,
      false,
    ]);
  }
});
