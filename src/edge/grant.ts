import type { DocumentName } from "../protocol/index.ts";

/** Who a socket speaks for. */
export interface Grant {
  principal: string;
}

/** Whom every socket speaks for while there are no tokens. */
export const anonymous: Grant = { principal: "anon" };

/** Tells whether the holder may write a document: a shared one, or one that its own writer names. */
export function mayWrite(grant: Grant, document: DocumentName): boolean {
  return document.kind === "shared" || document.principal === grant.principal;
}
