import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../.praxiscope/console",
    emptyOutDir: true,
    assetsDir: "static",
    target: "es2022",
    // The viewer of worlds is large and loaded on its own, when a world is opened.
    chunkSizeWarningLimit: 4000,
    // Files of their own even when small: the policy allows no data: scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  worker: { format: "es" },
});
