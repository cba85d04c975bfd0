/** How the page is built: one folder of static files that the node serves; three.js in a chunk of its own. */
import { defineConfig } from "vite";

// Node's global, of which only this is used: no need for all of Node's types.
declare const process: { env: Record<string, string | undefined> };

const node = process.env.ECTYPE_NODE ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    outDir: process.env.ECTYPE_WEB_OUT ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    reportCompressedSize: false,
    // What is bundled keeps its authors' terms beside it.
    license: { fileName: "licenses.txt" },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            {
              name: "react",
              test: /node_modules[\\/](react|react-dom|scheduler|zustand|use-sync-external-store)[\\/]/,
              priority: 3,
            },
            {
              name: "three",
              test: /node_modules[\\/](three|@react-three|suspend-react|its-fine|react-use-measure)[\\/]/,
              priority: 2,
            },
            { name: "yjs", test: /node_modules[\\/](yjs|lib0|y-websocket|y-protocols)[\\/]/, priority: 2 },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": { target: node, ws: true } } },
});
