import { afterEach, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { createGuard } from "../../src/crdt/shared/guard.ts";
import { encodeDocumentMessage, isResync, parseDocumentName, sharedName } from "../../src/protocol/index.ts";
import { type Attack, attacks } from "./attacks.ts";
import { openThreatRoom, type ThreatRoom, target } from "./threat-room.ts";

let room: ThreatRoom | undefined;

afterEach(() => {
  room?.close();
  room = undefined;
});

const titled = attacks.map((attack): [number, string, Attack] => [attack.row, attack.what, attack]);
/** What does not end a stock client's connection: it is asked again, or cut for it. */
const answered: readonly string[] = ["gate/gap", "gate/overlap", "gate/too-many-structs"];
const inShared = titled.filter(([, , { document }]) => document === sharedName());

describe("an update by room socket", () => {
  test.each(titled)("THREAT-%i at the relay: one that %s harms nobody", (_, __, attack) => {
    room = openThreatRoom();
    const attacker = room.attack();
    const refusals = attacker.offer(attack.document, attack.update(room.known()));
    expect(refusals).toEqual(attack.relay === "silence" ? [] : [attack.relay]);
    expect(attacker.closed).toBeUndefined();
    expect(room.aftermath()).toEqual([]);
  });
});

describe("an update by a stock client", () => {
  test.each(inShared)("THREAT-%i at the relay: a stock client that %s harms nobody", (_, __, attack) => {
    room = openThreatRoom();
    const attacker = room.attack({ document: target });
    const before = attacker.raw.length;
    attacker.send(encodeDocumentMessage({ type: "update", update: attack.update(room.known()) }));
    const isFinal = attack.relay !== "silence" && !answered.includes(attack.relay);
    expect(attacker.closed?.reason).toBe(isFinal ? attack.relay : undefined);
    if (isResync(attack.relay)) expect(attacker.raw.length).toBe(before + 1);
    expect(room.aftermath()).toEqual([]);
  });
});

describe("an update that came past the relay", () => {
  const reaching = titled.filter(([, , { client }]) => client !== undefined);

  test.each(reaching)("THREAT-%i in clients: one that %s changes nothing", (_, __, attack) => {
    room = openThreatRoom();
    const { doc } = room.members[2] as ThreatRoom["members"][number];
    const replica = attack.document === target ? doc : new Y.Doc();
    const before = Y.encodeStateAsUpdate(replica);
    const received = createGuard(parseDocumentName(attack.document), replica)(attack.update(room.known()));
    expect(received.result).toBe(attack.client);
    if (received.result === "refused" && attack.relay !== "silence") expect(received.code).toBe(attack.relay);
    expect(Y.encodeStateAsUpdate(replica)).toEqual(before);
    expect(room.aftermath()).toEqual([]);
  });
});

describe("without the gate", () => {
  /** Whether a replica that applies everything is worse off. */
  function harms({ update }: Attack, threat: ThreatRoom): boolean {
    const replica = new Y.Doc();
    Y.applyUpdate(replica, Y.encodeStateAsUpdate((threat.members[2] as ThreatRoom["members"][number]).doc));
    const before = Y.encodeStateAsUpdate(replica);
    try {
      Y.applyUpdate(replica, update(threat.known()));
      Y.applyUpdate(replica, Y.encodeStateAsUpdate(threat.victim.doc));
      Y.encodeStateAsUpdate(replica);
    } catch {
      return true;
    }
    const { pendingStructs, pendingDs } = replica.store;
    const seesAll = replica.getText("t").toString() === threat.victim.doc.getText("t").toString();
    return pendingStructs !== null || pendingDs !== null || !seesAll || before.length === 0;
  }

  test.each([1, 2, 3, 4, 5])(
    "THREAT-%i control: an attack of this row harms a replica that applies it",
    (row) => {
      room = openThreatRoom();
      const threat = room;
      expect(attacks.filter((attack) => attack.row === row).some((attack) => harms(attack, threat))).toBe(
        true,
      );
    },
  );
});
