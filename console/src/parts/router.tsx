// Addresses: the library at /, an asset under its own name.
import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { Store, useStore } from "../client/store";

const path = new Store(window.location.pathname);

window.addEventListener("popstate", () => path.set(window.location.pathname));

export function usePath(): string {
  return useStore(path);
}

/** Opens another page of the console; the focus goes to its content, as it would with a document of its own. */
export function open(to: string): void {
  if (to === window.location.pathname) return;
  window.history.pushState(null, "", to);
  path.set(to);
  window.scrollTo(0, 0);
  document.getElementById("main")?.focus();
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  readonly to: string;
}

export function Link({ to, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open(to);
  };
  return (
    <a {...rest} href={to} onClick={follow}>
      {children}
    </a>
  );
}
