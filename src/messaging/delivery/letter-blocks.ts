import { entryId, parseEntryId } from "../../protocol/index.ts";

/** A message, as a consumer of an agent gave it up. */
export interface LetterName {
  /** The message's id. */
  readonly id: string;
  /** `alice.planner`: whose consumer it was. */
  readonly agent: string;
  readonly consumer: string;
}

/**
 * Neighbours in a page share a key of the view: one each would cost a room of 100,000 dead letters some hundred megabytes,
 * one for a whole page would make each letter a copy of all that the page has.
 */
const blockLength = 64;

/** The block of a page that an entry lies in; undefined where the id is none. */
export function blockOf(id: string): string | undefined {
  const address = parseEntryId(id);
  return address && entryId({ ...address, index: address.index - (address.index % blockLength) });
}

/** The key of the view that a letter is under; undefined where the id is none of an entry. */
export function letterKey({ id, agent, consumer }: LetterName): string | undefined {
  const block = blockOf(id);
  // Neither an agent nor a block has a space.
  return block && `${agent} ${block} ${consumer}`;
}

/** Whose letters a key has. */
export function readLetterKey(key: string): Omit<LetterName, "id"> {
  const [agent = "", block = ""] = key.split(" ", 2);
  return { agent, consumer: key.slice(agent.length + block.length + 2) };
}
