import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { session } from "./client/session";
import { applyTheme } from "./parts/theme";
import "./style/base.css";
import "./style/pages.css";

applyTheme();
const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
session.start().catch(() => session.set({ kind: "out" }));
