import type { Persistence } from "../crdt/index.ts";
import type { AddCase, PersistenceFaults, PersistenceWorld } from "./persistence/backend.ts";
import { addDatabaseCases } from "./persistence/database-cases.ts";
import { addDocumentCases } from "./persistence/document-cases.ts";
import { addSharingCases } from "./persistence/sharing-cases.ts";
import type { ContractCase } from "./reference-store-contract.ts";

/**
 * What every persistence promises. `open` gives one that no other case uses; `faults` are what the backend can
 * simulate, and cases that need another are left out.
 *
 * @example
 * ```ts
 * for (const { id, title, run } of persistenceContract(async () => createInMemoryPersistence())) test(`${id}: ${title}`, run);
 * ```
 */
export function persistenceContract(
  open: () => Promise<Persistence>,
  faults: PersistenceFaults = {},
): ContractCase[] {
  const cases: ContractCase[] = [];
  const add: AddCase = (id, title, run, needs = []) => {
    if (needs.every((fault) => faults[fault])) {
      cases.push({ id, title, run: async () => run(worldOf(await open(), faults)) });
    }
  };
  addDatabaseCases(add);
  addDocumentCases(add);
  addSharingCases(add);
  return cases;
}

function worldOf(persistence: Persistence, faults: PersistenceFaults): PersistenceWorld {
  const { another, fillDisk, abortWrite, crash, appendUpdate, storedBytes } = faults;
  return {
    persistence,
    another: async () => (another ? another(persistence) : persistence),
    faults: {
      fillDisk: () => given(fillDisk)(persistence),
      abortWrite: () => given(abortWrite)(persistence),
      crash: () => given(crash)(persistence),
      appendUpdate: (name, update) => given(appendUpdate)(persistence, name, update),
      storedBytes: (name) => given(storedBytes)(persistence, name),
    },
  };
}

function given<T>(fault: T | undefined): T {
  if (!fault) throw new Error("A case uses a fault that it does not name as needed.");
  return fault;
}
