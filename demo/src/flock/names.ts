import type { RandomBytes } from "./random.ts";

/** The roles that every browser's flock has. */
export const roles = ["planner", "analyst", "writer"] as const;
/** One of the three roles. */
export type Role = (typeof roles)[number];

const birds = [
  "Avocet",
  "Bittern",
  "Bunting",
  "Crane",
  "Curlew",
  "Dunlin",
  "Egret",
  "Fieldfare",
  "Goldcrest",
  "Heron",
  "Ibis",
  "Jackdaw",
  "Kestrel",
  "Lapwing",
  "Martin",
  "Nightjar",
  "Oriole",
  "Plover",
  "Quail",
  "Redstart",
  "Siskin",
  "Tern",
  "Wheatear",
  "Wren",
];
const suffixLength = 4;
/** Hues are this far apart, so that two are either the same or told apart. */
const hueStep = 30;
const alphabet = "abcdefghjkmnpqrstuvwxyz23456789";

/** A browser's suffix: four letters or digits, none of which looks like another. */
export function createSuffix(random: RandomBytes): string {
  return [...random(suffixLength)].map((byte) => alphabet[byte % alphabet.length]).join("");
}

/** Tells whether a stored value is a suffix. */
export function isSuffix(value: unknown): value is string {
  return typeof value === "string" && /^[a-z0-9]{4}$/.test(value);
}

/** The agent's name: `planner-k3f9`. */
export function agentName(role: Role, suffix: string): string {
  return `${role}-${suffix}`;
}

/** An agent's name without its principal: `analyst-k3f9` for `anon.analyst-k3f9`. */
export function bareName(agent: string): string {
  return agent.split(".").at(-1) ?? agent;
}

/** The parts of an agent's name, with or without its principal; undefined for a name of another making. */
export function readAgentName(name: string): { role: Role; suffix: string } | undefined {
  const [role, suffix] = bareName(name).split("-");
  const known = roles.find((each) => each === role);
  return known !== undefined && isSuffix(suffix) ? { role: known, suffix } : undefined;
}

/** A friendlier name for the browser with this suffix: a bird, the same everywhere. */
export function birdOf(suffix: string): string {
  return birds[hashOf(suffix) % birds.length]!;
}

/** A colour for the browser with this suffix, as a hue in degrees, the same everywhere. */
export function hueOf(suffix: string): number {
  return (Math.floor(hashOf(suffix) / birds.length) * hueStep) % 360;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}
