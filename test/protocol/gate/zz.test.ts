import { it } from "vitest";
import * as Y from "yjs";
import { scanUpdate } from "../../../src/protocol/gate/index.ts";
import { inventTrial, layGrounds, mutateTrial } from "./grammar.ts";
import { createRandom } from "./random.ts";
import { examine } from "./property.ts";
it("x", () => {
  const grounds = layGrounds();
  const kinds = new Map<string, number[]>();
  for (let seed = 0; seed < Number(process.env["N"] ?? 20000); seed++) {
    const t = seed % 2 ? mutateTrial(createRandom(seed), grounds) : inventTrial(createRandom(seed), grounds);
    const o = examine(t, scanUpdate);
    if (o.violation) { const k = o.violation + " " + String((o.cause as Error)?.message ?? JSON.stringify(o.cause)) + String((o.cause as Error)?.stack?.split("\n").slice(3,6).map(s=>s.trim().split(" ")[1]).join("<")); kinds.set(k, [...(kinds.get(k) ?? []), seed]); }
  }
  for (const [k, v] of kinds) console.log(k, v.length, v.slice(0, 8).join());
  if (process.env["SEED"]) {
    const seed = Number(process.env["SEED"]);
    const t = seed % 2 ? mutateTrial(createRandom(seed), grounds) : inventTrial(createRandom(seed), grounds);
    const show = (u: Uint8Array) => { const d = Y.decodeUpdate(u); const id=(i: any)=>i?i.client+":"+i.clock:"-"; for (const s of d.structs as any[]) console.log(id(s.id), s.constructor.name, s.length, "o", id(s.origin), "r", id(s.rightOrigin), "p", typeof s.parent==="string"?s.parent:id(s.parent), s.parentSub ?? "", s.content?.constructor.name ?? "", s.content?.type?.constructor.name ?? ""); console.log("ds", JSON.stringify([...d.ds.clients])); }; show(t.state); console.log("-------"); show(t.update); console.log(examine(t, scanUpdate));
  }
}, 100000);
