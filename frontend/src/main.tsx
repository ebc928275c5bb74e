import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "virtual:tokens.css";
import "./theme/global.css";
import "./components/components.css";
import { Page } from "./App";
import { stampStyles } from "./nonce";

stampStyles();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Page />
    </StrictMode>,
  );
}
