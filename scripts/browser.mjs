import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { commandPath, runNode } from "./lib/run.mjs";

const instructions = `No Chromium was found for the end-to-end tests. Do one of these, then run the tests again:
  Debian, Ubuntu   sudo apt-get install -y chromium
  macOS            brew install --cask chromium
  Windows          winget install Google.Chrome
  anywhere         npx playwright install chromium
  already there    set CHROMIUM_PATH to the program`;

const systemNames = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];

/**
 * Finds a Chromium on this machine: CHROMIUM_PATH, Playwright's own download, then one of the system.
 *
 * @throws where CHROMIUM_PATH names a file that does not exist.
 * @returns {string | undefined}
 */
export function findBrowser() {
  const named = process.env["CHROMIUM_PATH"];
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`CHROMIUM_PATH is ${named}, where there is no file. Correct it, or unset it.`);
  }
  return [chromium.executablePath(), ...systemBrowsers()].find((path) => path !== "" && existsSync(path));
}

/**
 * Finds a Chromium, or downloads Playwright's.
 *
 * @throws with instructions where neither works.
 * @returns {Promise<string>}
 */
export async function ensureBrowser() {
  const found = findBrowser();
  if (found !== undefined) return found;
  console.log("No Chromium on this machine: trying Playwright's download …");
  await runNode(commandPath("@playwright/test", "playwright"), ["install", "chromium"]);
  const downloaded = findBrowser();
  if (downloaded === undefined) throw new Error(instructions);
  return downloaded;
}

/** @returns {string[]} */
function systemBrowsers() {
  if (process.platform === "darwin") {
    return ["/Applications", join(homedir(), "Applications")].flatMap((folder) => [
      join(folder, "Chromium.app/Contents/MacOS/Chromium"),
      join(folder, "Google Chrome.app/Contents/MacOS/Google Chrome"),
    ]);
  }
  if (process.platform === "win32") {
    const roots = ["PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"].map(
      (name) => process.env[name] ?? "",
    );
    return roots
      .filter((root) => root !== "")
      .flatMap((root) => [
        join(root, "Google/Chrome/Application/chrome.exe"),
        join(root, "Chromium/Application/chrome.exe"),
      ]);
  }
  const folders = new Set(["/usr/bin", "/snap/bin", ...(process.env["PATH"] ?? "").split(delimiter)]);
  return systemNames.flatMap((name) => [...folders].map((folder) => join(folder, name)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await ensureBrowser());
  } catch (failure) {
    console.error(failure instanceof Error ? failure.message : failure);
    process.exitCode = 1;
  }
}
