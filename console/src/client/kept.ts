// What this browser keeps of a person's own work over a reload, until they sign out.
const PREFIX = "praxiscope-own-";

/** What was kept under a name; undefined where nothing was, or nothing that can be read. */
export function readKept(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps something; says whether there was room, and whether this browser keeps anything at all. */
export function keep(name: string, value: unknown): boolean {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

/** Forgets all of it, so that whoever uses the browser next does not find it. */
export function forgetKept(): void {
  for (const name of Object.keys(localStorage)) if (name.startsWith(PREFIX)) localStorage.removeItem(name);
}
