const features = ["resilience", "consensus", "coordination", "deliberation", "knowledge"];
const waist = ["base", "protocol", "crdt", "refstore", "messaging", "room"];

/**
 * Who may import whom, by folder of `src` or file directly in it.
 * `types` names those of which nothing but types may be imported.
 *
 * @type {Readonly<Record<string, { values: readonly string[], types?: readonly string[] }>>}
 */
export const importTable = {
  base: { values: [] },
  protocol: { values: ["base"] },
  crdt: { values: ["base", "protocol"] },
  refstore: { values: ["base", "protocol"] },
  messaging: { values: ["base", "protocol", "crdt", "refstore"] },
  room: { values: ["base", "protocol", "crdt", "refstore", "messaging"] },
  resilience: { values: ["base"] },
  consensus: { values: ["base", "room"] },
  coordination: { values: ["base", "room", "resilience", "consensus"] },
  deliberation: { values: ["base", "room"] },
  knowledge: { values: ["base", "room"] },
  react: { values: [...waist, ...features] },
  tools: { values: [...waist, ...features] },
  inspector: { values: [...waist, ...features] },
  gateway: { values: [...waist, ...features] },
  // Of refstore the port alone, which is types: its backends are the browser's.
  edge: { values: ["base", "protocol"], types: ["refstore"] },
  // Of room what a platform is: whoever opens one there has its values already.
  node: { values: ["base", "protocol", "crdt", "refstore"], types: ["room"] },
  // Of edge the ports of the room's storage, for their contract cases.
  testing: { values: [...waist, ...features], types: ["edge"] },
  "index.ts": { values: waist },
  "worker.ts": { values: ["edge", "gateway"] },
};

/**
 * Modules that only some of `src` may import: all others would not run everywhere, or grow too large.
 *
 * @type {readonly { pattern: RegExp, allowed: readonly string[], reason: string }[]}
 */
export const restrictedModules = [
  { pattern: /^cloudflare:/, allowed: ["edge", "worker.ts"], reason: "it exists in workerd only" },
  { pattern: /^node:/, allowed: ["node"], reason: "it exists in Node only" },
  { pattern: /^zod(\/v4)?$/, allowed: ["edge", "gateway"], reason: "pages load zod/mini" },
  { pattern: /^(hono|@hono)\b/, allowed: ["edge", "gateway"], reason: "pages need no router" },
  { pattern: /^jose\b/, allowed: ["edge"], reason: "pages neither mint nor check tokens" },
];
