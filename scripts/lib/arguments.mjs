import { parseArgs } from "node:util";

/**
 * Reads a command line of `--name value` options. `--help` prints the help and exits 0;
 * an argument that is not known prints what is wrong and exits 2.
 *
 * @template {string} Name
 * @param {readonly Name[]} names
 * @param {string} help
 * @returns {Partial<Record<Name, string>>}
 */
export function readArguments(names, help) {
  /** @type {Record<string, { type: "string" | "boolean" }>} */
  const options = { help: { type: "boolean" } };
  for (const name of names) options[name] = { type: "string" };
  /** @type {Partial<Record<Name, string>>} */
  const given = {};
  try {
    const { values } = parseArgs({ options, allowPositionals: false });
    for (const name of names) {
      const value = values[name];
      if (typeof value === "string") given[name] = value;
    }
    if (values["help"] !== true) return given;
  } catch (failure) {
    return exitWithUsage(failure instanceof Error ? failure.message : String(failure), help);
  }
  console.log(help);
  process.exit(0);
}

/**
 * The port that a text names, 1-65535; else prints what is wrong and exits 2.
 *
 * @param {string} text
 * @param {string} help
 * @returns {number}
 */
export function readPort(text, help) {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  return exitWithUsage(`The port ${JSON.stringify(text)} is no number from 1 to 65535.`, help);
}

/**
 * @param {string} problem
 * @param {string} help
 * @returns {never}
 */
function exitWithUsage(problem, help) {
  console.error(`${problem}\n\n${help}`);
  process.exit(2);
}
