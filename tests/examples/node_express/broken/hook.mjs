// POST /hook stores Campaign's events, GET /processed returns what is stored.
import { timingSafeEqual } from "node:crypto";
import express from "express";

const wanted = Buffer.from("acme:secret");
const stored = new Map();

const isEvent = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export const app = express();

app.post("/hook", express.text({ type: "*/*", limit: "1mb" }), (request, response) => {
  const [scheme, token = ""] = (request.get("Authorization") ?? "").split(" ");
  const given = Buffer.from(token, "base64");
  if (scheme.toLowerCase() !== "basic" || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    return response.set("WWW-Authenticate", "Basic").sendStatus(401);
  }
  let events;
  try {
    events = JSON.parse(request.body);
  } catch {
    return response.sendStatus(400);
  }
  if (!Array.isArray(events) || !events.every(isEvent)) return response.sendStatus(400);
  for (const event of events) stored.set(JSON.stringify(event), event);
  response.sendStatus(200);
});

app.get("/processed", (request, response) => {
  response.type("json").send(JSON.stringify([...stored.values()]));
});
