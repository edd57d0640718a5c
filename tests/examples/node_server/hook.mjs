// A consumer in Node: POST /hook takes a list of events, GET /processed tells what it has kept.
import { createServer } from "node:http";

const processed = [];
const times = new Map();

const server = createServer((request, response) => {
  if (request.method === "GET") {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(processed));
    return;
  }
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const timesInList = new Map();
    for (const event of JSON.parse(Buffer.concat(pieces).toString("utf8"))) {
      const key = JSON.stringify(event);
      timesInList.set(key, (timesInList.get(key) ?? 0) + 1);
      if (timesInList.get(key) > (times.get(key) ?? 0)) {
        times.set(key, timesInList.get(key));
        processed.push(event);
      }
    }
    response.statusCode = 200;
    response.end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
