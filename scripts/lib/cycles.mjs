/**
 * Finds the cycles of a graph: one for each strongly connected group, as the path that closes it.
 *
 * @param {ReadonlyMap<string, readonly string[]>} graph
 * @returns {string[][]} such as `[["a", "b", "a"]]`
 */
export function findCycles(graph) {
  /** @type {string[][]} */
  const cycles = [];
  /** @type {Set<string>} */
  const settled = new Set();
  for (const start of graph.keys()) {
    if (settled.has(start)) continue;
    const group = intersect(reach(graph, start), reach(reverse(graph), start));
    for (const member of group) settled.add(member);
    const cycle = shortestLoop(graph, start, group);
    if (cycle) cycles.push(cycle);
  }
  return cycles;
}

/**
 * @param {ReadonlyMap<string, readonly string[]>} graph
 * @param {string} start
 * @returns {Set<string>} with the start itself
 */
function reach(graph, start) {
  const seen = new Set([start]);
  for (const node of seen) for (const next of graph.get(node) ?? []) seen.add(next);
  return seen;
}

/**
 * @param {ReadonlyMap<string, readonly string[]>} graph
 * @returns {Map<string, string[]>}
 */
function reverse(graph) {
  /** @type {Map<string, string[]>} */
  const reversed = new Map();
  for (const [from, targets] of graph) {
    for (const to of targets) reversed.set(to, [...(reversed.get(to) ?? []), from]);
  }
  return reversed;
}

/**
 * @param {ReadonlySet<string>} a
 * @param {ReadonlySet<string>} b
 * @returns {Set<string>}
 */
function intersect(a, b) {
  return new Set([...a].filter((each) => b.has(each)));
}

/**
 * @param {ReadonlyMap<string, readonly string[]>} graph
 * @param {string} start
 * @param {ReadonlySet<string>} group
 * @returns {string[] | undefined}
 */
function shortestLoop(graph, start, group) {
  /** @type {string[][]} */
  const paths = [[start]];
  const seen = new Set();
  for (const path of paths) {
    for (const next of graph.get(path.at(-1) ?? start) ?? []) {
      if (next === start) return [...path, start];
      if (!group.has(next) || seen.has(next)) continue;
      seen.add(next);
      paths.push([...path, next]);
    }
  }
  return undefined;
}
