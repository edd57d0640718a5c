// Express, with a file to which every list is appended before it is acknowledged.

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import express from "express";
import { isLosslessNumber, parse, stringify } from "lossless-json"; // JSON.parse changes ids beyond 2^53

const { CONSUMER_USER, CONSUMER_PASSWORD, CONSUMER_FD, CONSUMER_STORE } = process.env;
const wanted = Buffer.from(`${CONSUMER_USER}:${CONSUMER_PASSWORD}`).toString("base64");
// Its numbers are objects, too.
const isObject = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !isLosslessNumber(value);
const known = new Set();
const processed = []; // texts as bytes, each after the first one with a comma before it

const keyOf = (event) =>
  createHash("sha256").update(stringify(Object.keys(event).sort().map((name) => [name, event[name]]))).digest("hex");

function keep(key, text) {
  known.add(key);
  processed.push(Buffer.from(`${processed.length ? "," : ""}${text}`));
}

if (existsSync(CONSUMER_STORE)) {
  for (const line of readFileSync(CONSUMER_STORE, "utf-8").split("\n").filter(Boolean)) {
    keep(keyOf(parse(line)), line);
  }
}

const app = express();

app.post("/hook", (request, response, next) => {
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  if (scheme.toLowerCase() === "basic" && token === wanted) return next();
  response.set("WWW-Authenticate", "Basic").sendStatus(401);
});

app.post("/hook", express.text({ type: "*/*", limit: "1mb" }), (request, response) => {
  let events;
  try {
    events = parse(request.body);
  } catch {
    return response.status(400).json({ error: "not JSON" });
  }
  if (!Array.isArray(events) || !events.every(isObject)) return response.status(400).json({ error: "not events" });
  const fresh = new Map(events.map((event) => [keyOf(event), stringify(event)]).filter(([key]) => !known.has(key)));
  if (fresh.size) appendFileSync(CONSUMER_STORE, [...fresh.values()].map((text) => `${text}\n`).join(""));
  fresh.forEach((text, key) => keep(key, text));
  response.json({ accepted: events.length });
});

app.get("/processed", (request, response) => {
  response.type("json").end(Buffer.concat([Buffer.from("["), ...processed, Buffer.from("]")]));
});

app.listen({ fd: Number(CONSUMER_FD) });
