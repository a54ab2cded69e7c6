// Queries and mutations go by POST, subscriptions by graphql-transport-ws, both to the address of this very page.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { createClient } from "graphql-ws";

const endpoint = new URL(window.location.pathname, window.location.origin);
const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

const clients = new Map();

function authorizationIn(headers = {}) {
  const name = Object.keys(headers).find((key) => key.toLowerCase() === "authorization");
  return name && headers[name];
}

// A socket authenticates once, when it opens: one client per authorization, closed as soon as nothing runs on it.
function clientFor(authorization) {
  if (!clients.has(authorization)) {
    const connectionParams = authorization ? { authorization } : undefined;
    clients.set(authorization, createClient({ url: socket.href, connectionParams, lazy: true, retryAttempts: 0 }));
  }
  return clients.get(authorization);
}

export function fetcher(params, options) {
  const send = createGraphiQLFetcher({
    url: endpoint.href,
    headers: { "GraphQL-Require-Preflight": "1" },
    fetch: (url, init) => window.fetch(url, { ...init, credentials: "same-origin" }),
    enableIncrementalDelivery: false,
    wsClient: clientFor(authorizationIn(options?.headers)),
  });
  return send(params, options);
}
