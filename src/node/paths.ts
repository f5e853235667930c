import { join } from "node:path";
import { toHex, toUtf8 } from "../base/index.ts";

/** Where things lie in a directory, by their names. */
export interface Paths {
  /** The one file of all databases whose names have the same part before the last slash. */
  database(name: string): string;
  references(name: string): string;
  lock(name: string): string;
  /** What may hold names of a prefix. */
  below(prefix: string): Below;
  readonly guard: string;
}

/** Where the names of a prefix lie. */
export interface Below {
  /** Of this file the databases whose names have the prefix; all of them where `whole`. */
  file: string;
  whole: boolean;
  /** This folder, or where a start is named what in it begins so. */
  folder: string;
  start: string | undefined;
}

export const fileSuffix = ".sqlite";
export const lockSuffix = ".lock";
/** The one file that no name leads to. */
export const guardName = "=guard";

/** Lays names out below a directory: their parts become folders, in letters that every file system keeps apart. */
export function createPaths(directory: string): Paths {
  const pathOf = (name: string): string => join(directory, ...name.split("/").map(encodePart));
  return {
    database: (name) => `${pathOf(folderOf(name))}${fileSuffix}`,
    references: (name) => `${pathOf(name)}.references${fileSuffix}`,
    lock: (name) => `${pathOf(name)}${lockSuffix}`,
    below(prefix) {
      const folder = folderOf(prefix);
      const start = prefix.slice(prefix.lastIndexOf("/") + 1);
      const hasFolder = prefix.includes("/");
      return {
        file: `${pathOf(folder)}${fileSuffix}`,
        whole: start === "",
        folder: hasFolder ? pathOf(folder) : directory,
        start: hasFolder && start === "" ? undefined : encode(start),
      };
    },
    guard: join(directory, guardName),
  };
}

/** What a name has before its last slash. */
function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

function encodePart(part: string): string {
  return part === "" ? "=" : encode(part);
}

/** Capitals are written out, as some file systems take `A` for `a`; so is the dot, which begins our suffixes. */
function encode(text: string): string {
  return text.replace(/[^a-z0-9_@-]/gu, (character) =>
    toHex(toUtf8(character)).replace(/../g, (byte) => `=${byte}`),
  );
}
