/** The fonts' licence, which must go wherever the fonts go; the builder itself knows of code only. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

export function fontLicense(root: string): Plugin {
  return {
    name: "font-license",
    apply: "build",
    generateBundle() {
      const source = readFileSync(join(root, "node_modules/@fontsource/ibm-plex-mono/LICENSE"));
      this.emitFile({ type: "asset", fileName: "font-license.txt", source });
    },
  };
}
