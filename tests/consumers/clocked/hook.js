// A consumer in Node that looks at the clock: `hook.js PORT`; GET /bug/NAME gives it a bug.
import http from "node:http";

const DAY = 86_400_000;
const KEPT = { "keys-an-hour": 3_600_000, "keys-a-day": DAY };
const seen = new Map();
const stored = [];
let bug = "";

function become(name) {
  bug = name;
  seen.clear();
  stored.length = 0;
}

function process_(events) {
  const now = Date.now();
  for (const [key, at] of seen) if (at < now - (KEPT[bug] ?? 4 * DAY)) seen.delete(key);
  for (const event of events) {
    const key = JSON.stringify(event);
    if (seen.has(key) || (bug === "drops-by-clock" && event.created < now - DAY)) continue;
    seen.set(key, now);
    stored.push(event);
  }
}

function readings(respond) {
  const began = performance.now();
  setTimeout(() => {
    const now = performance.now() / 1_000;
    respond(200, { wall: Date.now() / 1_000, monotonic: now, timer: now - began / 1_000 });
  }, 100);
}

http.createServer((request, response) => {
  const respond = (status, value) => {
    response.writeHead(status);
    response.end(value === undefined ? "" : JSON.stringify(value));
  };
  if (request.method === "GET") {
    if (request.url.startsWith("/bug/")) become(request.url.slice(5));
    return request.url === "/clock" ? readings(respond) : respond(200, stored);
  }
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    try {
      process_(JSON.parse(Buffer.concat(chunks).toString()));
    } catch {
      return respond(400);
    }
    respond(200);
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
