// oxlint-disable-next-line import/no-unassigned-import -- it has to run before the contract makes its schemas
import "./zod-setup.js";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.js";
import { keepPage } from "./keep-page.js";
import { ErrorBoundary } from "./shared/ErrorBoundary.js";
import "./styles/theme.css";
import "./styles/shared.css";
import "./styles/list.css";
import "./styles/canvas.css";
import "./styles/chat.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element #root");

createRoot(root).render(
  <StrictMode>
    <ErrorBoundary>
      <App />
    </ErrorBoundary>
  </StrictMode>,
);

keepPage();
