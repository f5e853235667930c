import { type RandomBytes, randomId } from "../../base/index.ts";
import type { RoomStorage } from "./ports.ts";

/** The random id of this storage's history, made the first time that it is asked for. */
export function epochOf(storage: RoomStorage, random: RandomBytes): string {
  const stored = storage.setting("epoch");
  if (stored !== undefined) return stored;
  const epoch = randomId(random);
  storage.commit({ settings: { epoch } });
  return epoch;
}
