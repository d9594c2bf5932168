// With what the platform draws, and how well: chosen alike for one view and for a flight.
import type { Engine, RenderSettings, RenderSettingsQuality } from "../contract/generated";

const ENGINES: readonly (readonly [Engine, string])[] = [
  ["ENGINE_AUTO", "What suits it"],
  ["ENGINE_SPLAT_RASTER", "Gaussians, blended"],
  ["ENGINE_MESH_RASTER", "Triangles, without shadows"],
  ["ENGINE_PATH_TRACING", "Paths of light, with shadows"],
];
const QUALITIES: readonly (readonly [RenderSettingsQuality, string])[] = [
  ["QUALITY_DRAFT", "Draft"],
  ["QUALITY_STANDARD", "Standard"],
  ["QUALITY_HIGH", "High; takes a while"],
];

/** Fields of a form; `hasSurfaces` says whether a mesh is drawn, and no Gaussians. */
export function EngineFields({ hasSurfaces }: { readonly hasSurfaces: boolean }) {
  const engines = ENGINES.filter(([engine]) => engine !== (hasSurfaces ? "ENGINE_SPLAT_RASTER" : "ENGINE_MESH_RASTER"));
  return (
    <>
      <label className="field">
        <span>With</span>
        <select name="engine">
          {engines.map(([engine, words]) => (
            <option key={engine} value={engine}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        <span>How well</span>
        <select name="quality" defaultValue="QUALITY_STANDARD">
          {QUALITIES.map(([quality, words]) => (
            <option key={quality} value={quality}>
              {words}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

/** What was chosen in these fields. */
export function settingsOf(form: FormData): RenderSettings {
  return { engine: form.get("engine") as Engine, quality: form.get("quality") as RenderSettingsQuality };
}
