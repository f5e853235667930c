const word = "[A-Za-z0-9_-]{1,64}";
/** A topic has at most eight words. */
const grammar = new RegExp(`^((${word}|\\*)\\.){0,7}(${word}|\\*|>)$`);
const dot = 46;

/** Tells whether a text is a pattern of topics: a topic's words, where `*` is any one and `>`, at the end, one or more. */
export function isTopicPattern(text: unknown): text is string {
  return typeof text === "string" && grammar.test(text);
}

/** Tells whether a topic fits a pattern; nothing fits what is no pattern. */
export function matchesTopic(pattern: string, topic: string): boolean {
  return compileTopicPattern(pattern)(topic);
}

/** Makes a pattern ready for topics: of each it looks at every character once, and allocates nothing. */
export function compileTopicPattern(pattern: string): (topic: string) => boolean {
  if (!isTopicPattern(pattern)) return () => false;
  const words = pattern.split(".");
  if (!words.includes("*") && words.at(-1) !== ">") return (topic) => topic === pattern;
  return (topic) => fits(words, topic);
}

function fits(words: readonly string[], topic: string): boolean {
  let from = 0;
  for (const expected of words) {
    if (from >= topic.length) return false;
    if (expected === ">") return true;
    const to = expected === "*" ? endOf(topic, from) : from + expected.length;
    if (expected !== "*" && !topic.startsWith(expected, from)) return false;
    if (to === from || (to < topic.length && topic.charCodeAt(to) !== dot)) return false;
    from = to + 1;
  }
  return from > topic.length;
}

/** Where the word ends that begins here. */
function endOf(topic: string, from: number): number {
  const end = topic.indexOf(".", from);
  return end === -1 ? topic.length : end;
}
