import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { fontLicense } from "./fontLicense.ts";
import { source } from "./source.ts";

const SERVER = process.env["MEMOIR_SERVER"] ?? "http://127.0.0.1:8400";

export default defineConfig({
  plugins: [react(), fontLicense(import.meta.dirname), source(import.meta.dirname)],
  server: { proxy: { "/v1": SERVER } },
  build: {
    outDir: "../src/memoir/server/page",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the page forbids itself data: addresses
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
  },
});
