import * as Y from "yjs";
import { encodeDocumentMessage, laneName, sharedName } from "../../src/protocol/index.ts";
import { grantOf } from "../edge-core/room-harness.ts";
import { frameOf, joinFrame, updateFrame } from "../edge-core/wire.ts";
import { createRoomClient } from "../properties/stock-clients.ts";
import { type Intruder, intruderPrincipal } from "../properties/stock-flock.ts";
import type { Connection, StockNetwork } from "../properties/stock-network.ts";
import type { Ground } from "../protocol/gate/grammar.ts";
import { inventTrial, mutateTrial } from "../protocol/gate/grammar.ts";
import type { Random } from "../protocol/gate/random.ts";
import { attacks } from "./attacks.ts";

/** Of everything that it did, so that a test can say that it was no idler. */
export interface IntruderTally {
  updates: number;
  garbage: number;
  connections: number;
}

/** Whether an update places an item before another: ours check where it lies, stock clients beside them do not (THREATS 10). */
function hasRightOrigin(update: Uint8Array): boolean {
  try {
    return Y.decodeUpdate(update).structs.some(
      (struct) => struct instanceof Y.Item && struct.rightOrigin !== null,
    );
  } catch {
    return false;
  }
}

/** Somebody with a valid grant who sees the document and sends everything that might hurt. */
export function createIntruder(
  network: StockNetwork,
  tally: IntruderTally,
  principal = intruderPrincipal,
): Intruder {
  const spy = createRoomClient(network, { principal: intruderPrincipal, client: 667 });
  spy.connect();
  network.settle();
  const known = spy.doc;
  const grant = grantOf(principal);
  const recent: Uint8Array[] = [];
  known.on("update", (update: Uint8Array) => {
    recent.push(update);
    if (recent.length > 8) recent.shift();
  });
  const ends: Partial<Record<"room" | "stock", Connection>> = {};

  function connection(kind: "room" | "stock"): Connection {
    const present = ends[kind];
    if (present?.open) return present;
    tally.connections++;
    const opening = kind === "room" ? { grant } : { grant, document: sharedName() };
    const opened = network.connect(opening, { onOpen() {}, onMessage() {}, onClose() {} });
    if (kind === "room") opened.send(joinFrame());
    ends[kind] = opened;
    return opened;
  }

  function inventUpdate(random: Random): Uint8Array {
    const state = Y.encodeStateAsUpdate(known);
    const ground: Ground = { profile: "shared", state, next: recent.length > 0 ? recent : [state] };
    const { update } = random.chance(0.5) ? mutateTrial(random, [ground]) : inventTrial(random, [ground]);
    return hasRightOrigin(update) ? Uint8Array.of(0, 0) : update;
  }

  function sendUpdate(random: Random): void {
    tally.updates++;
    const [client, clock] = random.pick(
      [...known.store.clients.keys()].map((id) => [id, Y.getState(known.store, id)] as const),
    );
    const attack = random.pick(attacks);
    const { document, update } = random.chance(0.3)
      ? { document: attack.document, update: attack.update({ client, clock }) }
      : { document: sharedName(), update: inventUpdate(random) };
    if (random.chance(0.3) && document === sharedName()) {
      connection("stock").send(encodeDocumentMessage({ type: "update", update }));
    } else connection("room").send(updateFrame(document, [update], tally.updates));
  }

  function sendGarbage(random: Random): void {
    tally.garbage++;
    const frames = [
      () => Uint8Array.from({ length: random.below(40) }, () => random.below(256)),
      () => frameOf({ type: "presence", state: '{"__proto__":1}' }),
      () => frameOf({ type: "signal", to: 0, bytes: new Uint8Array(random.below(200)) }),
      () => updateFrame(laneName("alice.planner.x7", { number: 0, client: 11 }), [Uint8Array.of(0, 0)]),
      () => joinFrame("another epoch", 99),
    ];
    connection(random.chance(0.5) ? "room" : "stock").send(random.pick(frames)());
  }

  return {
    act(random) {
      if (random.chance(0.8)) sendUpdate(random);
      else if (random.chance(0.9)) sendGarbage(random);
      else for (const end of Object.values(ends)) end.cut();
    },
  };
}
