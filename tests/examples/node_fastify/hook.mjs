// POST /hook stores Campaign's events, GET /processed returns what is stored.
import { timingSafeEqual } from "node:crypto";
import Fastify from "fastify";
import { isLosslessNumber, parse, stringify } from "lossless-json"; // JSON.parse rounds ids beyond 2^53

const wanted = Buffer.from("acme:secret");
const stored = new Map();

export const app = Fastify();

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
  if (scheme.toLowerCase() !== "basic" || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    return reply.code(401).header("WWW-Authenticate", "Basic").send();
  }
}

// The numbers of lossless-json are objects, too.
const isEvent = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !isLosslessNumber(value);

app.post("/hook", { onRequest: authenticate }, async (request, reply) => {
  if (!Array.isArray(request.body) || !request.body.every(isEvent)) return reply.code(400).send();
  for (const event of request.body) stored.set(stringify(event), event);
  return reply.send();
});

app.get("/processed", async (request, reply) => {
  return reply.type("application/json").send(stringify([...stored.values()]));
});
