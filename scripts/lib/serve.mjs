/**
 * @typedef {object} Service
 * @property {(ready: { release: () => Promise<void>, stopped?: Promise<void> }) => void} isReady tells what to release
 *   before exiting, and, as `stopped`, when what is served has ended by itself
 */

/**
 * Makes Ctrl-C and termination signals end this program cleanly, from now on: while it starts, at once;
 * once it is ready, after releasing what it serves. Further signals change nothing.
 *
 * @returns {Service}
 */
export function createService() {
  let release = async () => {};
  let asked = false;
  async function exit() {
    if (asked) return;
    asked = true;
    await release();
    process.exit(0);
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, exit);
  return {
    isReady(ready) {
      release = ready.release;
      ready.stopped?.then(() => {
        if (!asked) exitWithFailure("The relay has ended by itself; what it printed stands above.");
      });
    },
  };
}

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
 * Prints a failure without its stack and exits 1.
 *
 * @param {unknown} failure
 * @returns {never}
 */
export function exitWithFailure(failure) {
  console.error(failure instanceof Error ? failure.message : String(failure));
  process.exit(1);
}
