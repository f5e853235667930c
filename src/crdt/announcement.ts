import { FlockError, toUtf8 } from "../base/index.ts";
import { maxPresenceBytes, type Presence, parsePresence } from "../protocol/index.ts";

/**
 * A replica's presence as the relay is told of it. The relay closes for good on a state that it can't take, so such a
 * state stays here.
 *
 * @throws `protocol/presence-too-large`
 */
export function encodePresence(own: Presence): string {
  const state = JSON.stringify(own);
  if (toUtf8(state).length <= maxPresenceBytes && parsePresence(state)) return state;
  throw new FlockError(
    "protocol/presence-too-large",
    `The presence of ${state.length} characters is not announced: keep it plain JSON within ${maxPresenceBytes} bytes.`,
  );
}
