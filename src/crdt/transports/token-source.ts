import { FlockError } from "../../base/index.ts";
import { maxTokenBytes } from "../../protocol/index.ts";

/** The application's tokens. Socket and references share the newest. */
export interface TokenSource {
  /** Asks the application for a token. @throws `room/token-failed` */
  fetch(): Promise<string>;
  /** The newest token, without asking where there is one. @throws `room/token-failed` */
  newest(): Promise<string>;
}

/** What a subprotocol can carry of a token; every JWT in the compact form is this. */
const tokenPattern = /^[\w.~+-]+$/;

/** Creates a source; `provide` is the application's. */
export function createTokenSource(provide: () => string | Promise<string>): TokenSource {
  let newest: string | undefined;

  async function fetch(): Promise<string> {
    let token: unknown;
    try {
      token = await provide();
    } catch (cause) {
      throw failed("threw", cause);
    }
    if (typeof token !== "string" || token.length > maxTokenBytes || !tokenPattern.test(token)) {
      throw failed(`gave something that is no token of at most ${maxTokenBytes} characters`);
    }
    newest = token;
    return token;
  }

  return { fetch, newest: async () => newest ?? fetch() };
}

function failed(what: string, cause?: unknown): FlockError {
  return new FlockError("room/token-failed", `The application's \`token\` ${what}.`, { cause });
}
