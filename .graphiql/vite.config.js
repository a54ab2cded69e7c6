import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  publicDir: false,
  worker: { format: "es", rolldownOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "[name].js" } } },
  build: {
    outDir: "../graph/pages/static/graphiql",
    emptyOutDir: true,
    sourcemap: false,
    license: { fileName: "LICENSES.md" },
    modulePreload: false,
    cssCodeSplit: false,
    target: "es2022",
    chunkSizeWarningLimit: 5000,
    rolldownOptions: {
      input: "main.jsx",
      checks: { moduleLevelDirective: false },
      output: {
        entryFileNames: "graphiql.js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
        codeSplitting: false,
      },
    },
  },
});
