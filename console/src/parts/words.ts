// Numbers and times as people read them.

export function bytesInWords(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** When something was, as in `3 minutes ago`, or its date where that is long ago. */
export function ago(moment: string | undefined, now = Date.now()): string {
  if (!moment) return "";
  const seconds = Math.round((now - Date.parse(moment)) / 1000);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (seconds < 60) return "just now";
  if (seconds < 3600) return format.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_400) return format.format(-Math.round(seconds / 3600), "hour");
  if (seconds < 7 * 86_400) return format.format(-Math.round(seconds / 86_400), "day");
  return new Date(moment).toLocaleDateString("en", { year: "numeric", month: "short", day: "numeric" });
}

export function degrees(value: number | null | undefined): string {
  return typeof value === "number" && Number.isFinite(value) ? `${value.toFixed(1)}°` : "–";
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

const ANGLE_WORDS: Readonly<Record<string, string>> = {
  arm_flex: "Arm flexion",
  arm_add: "Arm adduction",
  elbow_flex: "Elbow flexion",
};

/** An angle's name for people: `knee_angle_r` is the knee's on the right; the depth of `_3d` is estimated. */
export function angleInWords(name: string): string {
  const [, plain = name, side = "", estimated = ""] = /^(.*?)(_r|_l)?(_3d)?$/.exec(name) ?? [];
  const words = ANGLE_WORDS[plain] ?? plain.charAt(0).toUpperCase() + plain.slice(1).replace(/_/g, " ");
  return `${words}${side === "_r" ? ", right" : side === "_l" ? ", left" : ""}${estimated ? " (3D)" : ""}`;
}
