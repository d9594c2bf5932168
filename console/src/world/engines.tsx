// With what the platform draws, and how well: chosen alike for one view and for a flight.
import type { Engine, RenderSettings, RenderSettingsQuality } from "../contract/generated";
import { ChoiceField } from "../parts/choice-field";

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
      <ChoiceField label="With" name="engine" choices={engines} />
      <ChoiceField label="How well" name="quality" choices={QUALITIES} value="QUALITY_STANDARD" />
    </>
  );
}

/** What was chosen in these fields, for a file of the asset; an empty path is the one that the platform finds. */
export function settingsOf(form: FormData, path: string): RenderSettings {
  return { engine: form.get("engine") as Engine, quality: form.get("quality") as RenderSettingsQuality, ...(path ? { path } : {}) };
}
