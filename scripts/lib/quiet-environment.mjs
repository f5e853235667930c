import { join } from "node:path";

/**
 * Environment that keeps wrangler and its runtime off the network, and their own files beside the relay's.
 *
 * @param {string} stateDir
 * @returns {Record<string, string>}
 */
export function quietEnvironment(stateDir) {
  return {
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_LOG_PATH: join(stateDir, "logs"),
    WRANGLER_REGISTRY_PATH: join(stateDir, "registry"),
  };
}
