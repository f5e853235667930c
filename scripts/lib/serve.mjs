/**
 * Prints where the program can be reached, so that it stands out from the log.
 *
 * @param {string} title
 * @param {readonly string[]} lines
 */
export function printBlock(title, lines) {
  const indented = lines.map((line) => `    ${line}`);
  console.log(["", `  ${title}`, "", ...indented, "", "  Press Ctrl-C to stop.", ""].join("\n"));
}

/**
 * Waits for Ctrl-C, a termination signal, or the end of what is served; then releases it and exits.
 * Further signals change nothing: releasing has a limit of its own.
 *
 * @param {{ stopped?: Promise<void>, release: () => Promise<void> }} served
 * @returns {Promise<never>}
 */
export async function serveUntilStopped({ stopped, release }) {
  /** @type {Promise<"asked">} */
  const asked = new Promise((resolve) => {
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
      process.on(signal, () => resolve("asked"));
    }
  });
  const reason = await Promise.race([asked, stopped?.then(() => "ended") ?? asked]);
  if (reason === "ended") {
    console.error("The relay has ended by itself; what it printed stands above.");
    process.exit(1);
  }
  await release();
  process.exit(0);
}

/**
 * Prints a failure without its stack and exits 1.
 *
 * @param {unknown} failure
 * @returns {never}
 */
export function exitWithFailure(failure) {
  console.error(failure instanceof Error ? failure.message : String(failure));
  process.exit(1);
}
