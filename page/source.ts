/** Says of which source the built page is: a test of the package compares it, so that nobody forgets to build. */

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { Plugin } from "vite";

const FOLDERS = ["public", "src"];
const FILES = ["index.html", "package-lock.json", "vite.config.ts"];

/** SHA-256 over `NAME\n` and content of every file that the page is made of, sorted by name. */
export function digest(root: string): string {
  const names = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/")),
  );
  const hash = createHash("sha256");
  for (const name of [...FILES, ...names].sort()) {
    hash.update(`${name}\n`).update(readFileSync(join(root, name)));
  }
  return hash.digest("hex");
}

/** Writes the digest beside the built page. */
export function source(root: string): Plugin {
  return {
    name: "source",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "source.txt", source: `${digest(root)}\n` });
    },
  };
}
