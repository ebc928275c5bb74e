import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vitest/config";
import { variables } from "./src/theme/variables.ts";

/** Serves the tokens as CSS variables, so that `tokens.ts` stays the one place colours come from. */
function tokens(): Plugin {
  const id = "virtual:tokens.css";
  return {
    name: "tokens",
    resolveId: (source) => (source === id ? `\0${id}` : null),
    load: (source) => (source === `\0${id}` ? variables() : null),
  };
}

const server = process.env.MAINSPRING_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "/static/",
  plugins: [tokens(), react()],
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    outDir: "../src/mainspring/web/static",
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // the content policy allows no data: fonts or scripts
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1600,
  },
  server: { proxy: { "/api": server } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
