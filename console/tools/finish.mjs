// Finishes a build: puts the licences of all packages whose code is in the pages beside them, as these licences ask, and scripts and styles in their compressed
// form too.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const CONSOLE = join(dirname(fileURLToPath(import.meta.url)), "..");
const BUILT = join(CONSOLE, "../.praxiscope/console");

const { packages } = JSON.parse(readFileSync(join(CONSOLE, "package-lock.json"), "utf8"));
const shipped = Object.entries(packages).filter(([path, entry]) => path !== "" && !entry.dev && !entry.optional);
const parts = shipped.map(([path, { version, license }]) => {
  const folder = join(CONSOLE, path);
  const file = existsSync(folder) && readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : `No licence file in the package; it says: ${license}.`;
  return `${path.replace(/^.*node_modules\//, "")} ${version}\n\n${text}\n`;
});
writeFileSync(join(BUILT, "licences.txt"), ["These pages contain code of the following packages.\n", ...parts].join(`\n${"-".repeat(80)}\n`));

for (const name of readdirSync(join(BUILT, "static")).filter((item) => /\.(js|css)$/.test(item))) {
  writeFileSync(join(BUILT, "static", `${name}.gz`), gzipSync(readFileSync(join(BUILT, "static", name)), { level: 9 }));
}
