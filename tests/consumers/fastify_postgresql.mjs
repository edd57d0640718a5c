// Fastify and pg with PostgreSQL: events as they came, each in a transaction with its batch, known by a digest.

import { createHash, timingSafeEqual } from "node:crypto";
import Fastify from "fastify";
import { isLosslessNumber, parse, stringify } from "lossless-json"; // JSON.parse changes ids beyond 2^53
import pg from "pg";

const { CONSUMER_USER, CONSUMER_PASSWORD, CONSUMER_FD, CONSUMER_STORE } = process.env;
const wanted = Buffer.from(`${CONSUMER_USER}:${CONSUMER_PASSWORD}`);
const pool = new pg.Pool({ connectionString: CONSUMER_STORE, max: 5 });
await pool.query(
  "CREATE TABLE IF NOT EXISTS event (number bigserial, digest bytea PRIMARY KEY, payload text NOT NULL)",
);

// Its numbers are objects, too.
const isEvent = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !isLosslessNumber(value);

const digestOf = (event) =>
  createHash("sha256").update(stringify(Object.keys(event).sort().map((name) => [name, event[name]]))).digest();

const app = Fastify();

app.removeContentTypeParser("application/json");
app.addContentTypeParser("application/json", { parseAs: "string" }, async (request, body) => {
  try {
    return parse(body);
  } catch (error) {
    throw Object.assign(error, { statusCode: 400 });
  }
});

async function authenticate(request, reply) {
  const [scheme, token = ""] = (request.headers.authorization ?? "").split(" ");
  const given = Buffer.from(token, "base64");
  if (scheme.toLowerCase() === "basic" && given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  return reply.code(401).header("WWW-Authenticate", "Basic").send();
}

app.post("/hook", { onRequest: authenticate }, async (request, reply) => {
  const events = request.body;
  if (!Array.isArray(events) || !events.every(isEvent)) return reply.code(400).send();
  // In the order of their digests, so that no two batches wait for each other.
  const rows = events.map((event) => [digestOf(event), event]).sort(([one], [other]) => Buffer.compare(one, other));
  // One statement is one transaction.
  await pool.query(
    "INSERT INTO event (digest, payload) SELECT * FROM unnest($1::bytea[], $2::text[]) ON CONFLICT DO NOTHING",
    [rows.map(([digest]) => digest), rows.map(([, event]) => stringify(event))],
  );
  return reply.send();
});

app.get("/processed", async (request, reply) => {
  const found = await pool.query("SELECT payload FROM event ORDER BY number");
  return reply.type("application/json").send(`[${found.rows.map((row) => row.payload)}]`);
});

await app.listen({ fd: Number(CONSUMER_FD) });
