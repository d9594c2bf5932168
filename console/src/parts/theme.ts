// Light or dark: as the machine has it, or as the person chose.
import { Store } from "../client/store";

export type Theme = "auto" | "light" | "dark";

const KEPT = "praxiscope-theme";
const machine = window.matchMedia("(prefers-color-scheme: dark)");

export const theme = new Store<Theme>(kept());

export function chooseTheme(chosen: Theme): void {
  localStorage.setItem(KEPT, chosen);
  theme.set(chosen);
  applyTheme();
}

export function applyTheme(): void {
  const isDark = theme.value === "dark" || (theme.value === "auto" && machine.matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}

machine.addEventListener("change", applyTheme);

function kept(): Theme {
  const found = localStorage.getItem(KEPT);
  return found === "light" || found === "dark" ? found : "auto";
}
