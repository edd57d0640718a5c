// Node's own http module, in memory.

import { createServer } from "node:http";
import { createHash, timingSafeEqual } from "node:crypto";
import { isLosslessNumber, parse, stringify } from "lossless-json"; // JSON.parse changes ids beyond 2^53

const { CONSUMER_USER, CONSUMER_PASSWORD, CONSUMER_FD } = process.env;
const wanted = Buffer.from(`${CONSUMER_USER}:${CONSUMER_PASSWORD}`);
const known = new Set();
const processed = []; // texts as bytes, each after the first one with a comma before it

function authorized(header = "") {
  const [scheme, token = ""] = header.split(" ");
  const given = Buffer.from(token, "base64");
  return scheme.toLowerCase() === "basic" && given.length === wanted.length && timingSafeEqual(given, wanted);
}

const canonical = (event) =>
  stringify(Object.entries(event).sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)));

// A long text that was put together would keep all its parts as long as it is a key.
const digestOf = (text) => createHash("sha256").update(text).digest("hex");

// Its numbers are objects, too.
const isEvent = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !isLosslessNumber(value);

function take(body) {
  const events = parse(body);
  if (!Array.isArray(events)) throw new SyntaxError("not a list");
  const rows = new Map();
  const times = new Map();
  for (const event of events) {
    if (!isEvent(event)) throw new SyntaxError("not an event");
    const key = digestOf(canonical(event));
    times.set(key, (times.get(key) ?? 0) + 1);
    rows.set(`${times.get(key)} ${key}`, event);
  }
  for (const [key, event] of rows) {
    if (known.has(key)) continue;
    known.add(key);
    processed.push(Buffer.from(`${processed.length ? "," : ""}${stringify(event)}`));
  }
}

const server = createServer((request, response) => {
  const answer = (status, body = "", headers = {}) => response.writeHead(status, headers).end(body);
  if (request.url === "/processed" && request.method === "GET") {
    const list = Buffer.concat([Buffer.from("["), ...processed, Buffer.from("]")]);
    return answer(200, list, { "Content-Type": "application/json" });
  }
  if (request.url !== "/hook") return answer(404);
  if (request.method !== "POST") return answer(405);
  if (!authorized(request.headers.authorization)) return answer(401, "", { "WWW-Authenticate": "Basic" });
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    try {
      take(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
    } catch (error) {
      return answer(400, error.message);
    }
    answer(200);
  });
});

server.listen({ fd: Number(CONSUMER_FD) });
