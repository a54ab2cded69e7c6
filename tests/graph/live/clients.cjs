// The clients that applications use, each following a structure: `node clients.cjs KIND URL TOKEN STRUCTURE`.
// Prints `open` once it is connected, then each delivery as a line of JSON.
const WebSocket = require("ws");
const [kind, url, token, structure] = process.argv.slice(2);
const authorization = `Bearer ${token}`;
const query = `subscription Follow($structure: ID, $after: String) {
  attachmentStatusChanged(structureId: $structure, after: $after) { cursor status attachment { id user { displayName } } } }`;
const tell = (result) => console.log(JSON.stringify(result));
const fail = (error) => {
  console.error(error);
  process.exit(1);
};
const socket = () =>
  require("graphql-ws").createClient({
    url: url.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    on: { connected: () => console.log("open") },
  });

const kinds = {
  "graphql-ws": () =>
    socket().subscribe({ query, variables: { structure } }, { next: tell, error: fail, complete: () => tell("complete") }),
  "graphql-sse": () =>
    require("graphql-sse")
      .createClient({ url, headers: { authorization }, onMessage: undefined, on: { connected: () => console.log("open") } })
      .subscribe({ query, variables: { structure } }, { next: tell, error: fail, complete: () => tell("complete") }),
  "apollo-client": () => {
    const { ApolloClient, InMemoryCache, gql } = require("@apollo/client");
    const { GraphQLWsLink } = require("@apollo/client/link/subscriptions");
    new ApolloClient({ link: new GraphQLWsLink(socket()), cache: new InMemoryCache() })
      .subscribe({ query: gql(query), variables: { structure } })
      .subscribe({ next: ({ data }) => tell({ data }), error: fail, complete: () => tell("complete") });
  },
};
kinds[kind]();
