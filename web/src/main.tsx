/** Starts the page: theme, feed, address, then everything to see. */
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";
import { startProbe } from "./probe.ts";
import { startAddress, startTheme } from "./state/choose.ts";
import { start } from "./state/live.ts";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/bar.css";
import "./styles/scene.css";
import "./styles/panel.css";
import "./styles/plant.css";
import "./styles/timeline.css";

startTheme();
startProbe();
startAddress();
start();
createRoot(document.getElementById("root")!).render(<App />);
