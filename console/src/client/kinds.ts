// What a file is for us, told from its name and type before a byte is sent.
import type { Kind } from "../contract/generated";

const VIDEO = /\.(mp4|m4v|mov|webm|mkv|avi)$/i;
const PHOTO = /\.(jpe?g|png|webp|heic|heif|tiff?|bmp)$/i;
const WORLD = /\.(ply|spz|splat|glb|gltf|usda?|obj)$/i;

/** A mesh that the page shows, where there are no Gaussians beside it. */
export const MESH_FILE = /\.glb$/i;
export const SPLAT_FILE = /\.(spz|ply|splat)$/i;

export type Material = "video" | "photos" | "archive" | "world";

/** What chosen files make together, or why they make nothing. */
export type Choice = { readonly material: Material; readonly kind: Kind; readonly files: readonly File[] } | { readonly refusal: string };

export function choiceOf(files: readonly File[]): Choice {
  const [first] = files;
  if (!first) return { refusal: "Choose a video, photos, a zip of photos, or a world's file." };
  const empty = files.find((file) => file.size === 0);
  if (empty) return { refusal: `“${empty.name}” is empty.` };
  if (files.every((file) => file.type.startsWith("image/") || PHOTO.test(file.name))) return { material: "photos", kind: "KIND_IMAGE_SET", files };
  if (files.length > 1) {
    const odd = files.find((file) => !(file.type.startsWith("image/") || PHOTO.test(file.name)));
    return { refusal: `“${odd?.name ?? ""}” is no photo. Choose one video, or photos that belong together.` };
  }
  if (first.type.startsWith("video/") || VIDEO.test(first.name)) return { material: "video", kind: "KIND_VIDEO", files };
  if (/\.zip$/i.test(first.name)) return { material: "archive", kind: "KIND_IMAGE_SET", files };
  if (WORLD.test(first.name)) return { material: "world", kind: "KIND_WORLD", files };
  return {
    refusal: `“${first.name}” is neither a video nor photos nor a world. Videos: MP4, MOV, WebM, MKV, AVI. Photos: JPEG, PNG, WebP, HEIC, TIFF.`,
  };
}

export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  KIND_UNSPECIFIED: "Asset",
  KIND_VIDEO: "Video",
  KIND_IMAGE: "Picture",
  KIND_IMAGE_SET: "Photos",
  KIND_DETECTIONS: "Detections",
  KIND_TRACKS: "Tracks",
  KIND_MOTION: "Motion",
  KIND_CLIP: "Clip",
  KIND_WORLD: "World",
  KIND_MODEL: "Model",
  KIND_FILE: "File",
};
