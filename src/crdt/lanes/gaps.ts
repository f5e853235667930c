import { FlockError } from "../../base/index.ts";
import type { DocumentName } from "../../protocol/index.ts";
import type { Received } from "../shared/guard.ts";

/** What became of the updates from the relay: a gap asks for one whole join, and what stays unfilled or is refused is told. */
export interface Gaps {
  settle(name: DocumentName, received: Received): void;
  /** Everything that the relay has was told. */
  joined(): void;
  /** The application connects anew, and asks anew. */
  reset(): void;
}

export interface GapsOptions {
  /** Joins the relay anew, for everything that it has. */
  rejoin(): void;
  onProblem(error: FlockError): void;
}

/** Creates it for a replica that has met no gap. */
export function createGaps({ rejoin, onProblem }: GapsOptions): Gaps {
  /** Whether a gap was met since the last whole join, and whether that join failed to fill one. */
  let gap: "none" | "asked" | "unfilled" = "none";

  return {
    /** What the guard did not let through is told, never asked for again; a gap is asked for again only once it was filled. */
    settle({ name }, { result, ...refusal }) {
      if (result === "gap" && gap === "none") {
        gap = "asked";
        rejoin();
      } else if (result === "gap" || result === "refused") {
        if (result === "gap") gap = "unfilled";
        const { code = "gate/gap", message = "it rests on something that the relay does not have" } =
          refusal as Partial<Extract<Received, { result: "refused" }>>;
        onProblem(
          new FlockError(code, `An update of ${name} was not applied: ${message}`, {
            details: { document: name },
          }),
        );
      }
    },
    joined() {
      if (gap === "asked") gap = "none";
    },
    reset() {
      gap = "none";
    },
  };
}
