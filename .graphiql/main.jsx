import "./workers.js";
import "@graphiql/react/style.css";
import "@graphiql/plugin-history/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-explorer/style.css";
import "graphiql/graphiql.css";
import "./page.css";

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

import { fetcher } from "./fetcher.js";

const tabs = JSON.parse(document.getElementById("examples").textContent).map((query) => ({ query }));

// Operations may hold passwords and tokens: what GraphiQL remembers ends with the browser tab.
createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={[HISTORY_PLUGIN, explorerPlugin()]}
    storage={window.sessionStorage}
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
    defaultTabs={tabs}
    defaultEditorToolsVisibility={false}
  />,
);
