// The peer and the readers of `python -m tests.benchmarks.live`; modules come from NODE_PATH.
//   node live.cjs server PORT            graphql-ws on ws with nothing behind it: POST /NUMBER publishes to topic 0
//   node live.cjs clients URL FILE       one subscription for each line of FILE: an authorization, or a topic's number
// Both tell what they do as lines of JSON; times are nanoseconds of the machine's monotonic clock.
const fs = require("fs");
const WebSocket = require("ws");
const AT_ONCE = 100;
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const now = () => process.hrtime.bigint().toString();
const SELECTED = "{ occurredAt cursor status attachment { id user { displayName } } actor { displayName } }";

function serve(port) {
  const { buildSchema, GraphQLError } = require("graphql");
  const { useServer } = require("graphql-ws/use/ws");
  const schema = buildSchema(`type Query { nothing: Int }
    type User { displayName: String! } type Attachment { id: ID! user: User! }
    type Change { occurredAt: String! cursor: String! status: String! attachment: Attachment! actor: User }
    type Subscription { attachmentStatusChanged(topic: Int): Change! }`);
  const topics = new Map();
  const follow = ({ topic }) => {
    const waiting = [];
    let wake;
    const push = (value) => (wake ? (wake({ value: { attachmentStatusChanged: value }, done: false }), (wake = undefined)) : waiting.push(value));
    if (!topics.has(topic)) topics.set(topic, new Set());
    topics.get(topic).add(push);
    return {
      [Symbol.asyncIterator]() { return this; },
      next: () => waiting.length
        ? Promise.resolve({ value: { attachmentStatusChanged: waiting.shift() }, done: false })
        : new Promise((resolve) => (wake = resolve)),
      return: () => (topics.get(topic).delete(push), Promise.resolve({ value: undefined, done: true })),
    };
  };
  const http = require("http").createServer((request, response) => {
    const user = { displayName: "Ada Person" };
    const change = { occurredAt: request.url.slice(1), cursor: "x", status: "DEACTIVATED", attachment: { id: "1", user }, actor: user };
    const at = now();
    for (const push of topics.get(0) ?? []) push(change);
    response.end(at);
  });
  const server = new WebSocket.WebSocketServer({ server: http, path: "/graphql" });
  useServer({ schema, roots: { subscription: { attachmentStatusChanged: follow } } }, server, 0);
  http.listen(port, "127.0.0.1", 2048, () => tell("ready"));
}

function follow(url, line) {
  const topic = /^\d+$/.test(line);
  const query = topic
    ? `subscription Follow($topic: Int) { attachmentStatusChanged(topic: $topic) ${SELECTED} }`
    : `subscription Follow { attachmentStatusChanged ${SELECTED} }`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, "graphql-transport-ws", { perMessageDeflate: false });
    const send = (message) => socket.send(JSON.stringify(message));
    socket.on("open", () => send({ type: "connection_init", payload: topic ? {} : { authorization: line } }));
    socket.on("error", reject);
    socket.on("close", (code) => tell({ closed: code }));
    socket.on("message", (data) => {
      const at = now();
      const message = JSON.parse(data);
      if (message.type === "connection_ack") {
        send({ id: "1", type: "subscribe", payload: { query, variables: topic ? { topic: Number(line) } : {} } });
        resolve();
      } else if (message.type === "ping") send({ type: "pong" });
      else if (message.type === "next") tell({ key: message.payload.data.attachmentStatusChanged.occurredAt, at });
      else tell({ unexpected: message });
    });
  });
}

async function clients(url, file) {
  const lines = fs.readFileSync(file, "utf8").trim().split("\n");
  let next = 0;
  const some = async () => {
    while (next < lines.length) await follow(url, lines[next++]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
  tell({ connected: lines.length });
}

const [mode, ...given] = process.argv.slice(2);
if (mode === "server") serve(Number(given[0]));
else clients(given[0], given[1]).catch((error) => (console.error(error), process.exit(1)));
