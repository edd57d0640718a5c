// Serves all JavaScript examples of the rules' pages from one process: `node serve.cjs FILE`, with the examples as JSON.
// Stands for the HTTP server and the database of a real consumer. Prints its port; with --check only compiles.

const { AsyncLocalStorage } = require("node:async_hooks");
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");

class Rejected extends Error {
  constructor(status) {
    super(`rejected with ${status}`);
    this.status = status;
  }
}

class DatabaseError extends Error {}

// The request that is handled.
const current = new AsyncLocalStorage();

// A table with a unique key, which survives restarts, and one of states.
class Database {
  #rows = new Map();
  #pending = null;
  #number = 0;
  #owners = new Map();
  state = new Map();
  isBroken = false;

  // Stores all that is inserted meanwhile, or nothing of it if an error is thrown.
  transaction(work) {
    this.#pending = new Map();
    try {
      work();
      this.#commit(this.#pending);
    } finally {
      this.#pending = null;
    }
  }

  // Stores the row unless there is one with this key, as INSERT … ON CONFLICT DO NOTHING.
  insert(key, row) {
    if (this.#pending === null) this.#commit(new Map([[key, row]]));
    else if (!this.#pending.has(key)) this.#pending.set(key, row);
  }

  // Stores the row, as INSERT into a table without a unique key.
  append(row) {
    this.insert(this.#number++, row);
  }

  has(key) {
    return this.#rows.has(key) || (this.#pending?.has(key) ?? false);
  }

  // Locks a row until the request ends. Throws a DatabaseError if that takes too long, as in a deadlock.
  async lock(name) {
    const me = current.getStore();
    for (let wait = 0; (this.#owners.get(name) ?? me) !== me; wait++) {
      if (wait === 250) throw new DatabaseError("deadlock detected");
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    this.#owners.set(name, me);
    await new Promise((resolve) => setTimeout(resolve, 1)); // as a query takes
  }

  unlock(request) {
    for (const [name, owner] of this.#owners) if (owner === request) this.#owners.delete(name);
  }

  rows() {
    return [...this.#rows.values()];
  }

  #commit(rows) {
    if (this.isBroken) throw new DatabaseError("the database cannot be reached");
    for (const [key, row] of rows) if (!this.#rows.has(key)) this.#rows.set(key, row);
  }
}

// A JSON library that reads whole numbers beyond 2^53 as BigInt, as lossless-json and json-bigint do.
const MARK = "\ue000#";
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const json = {
  parse(text) {
    const marked = text.replace(TOKEN, (token) => (token.startsWith('"') ? token : `"${MARK}${token}"`));
    const value = JSON.parse(marked, (_, part) =>
      typeof part === "string" && part.startsWith(MARK) ? shortest(BigInt(part.slice(MARK.length))) : part,
    );
    return value;
  },
  stringify(value) {
    const marked = JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${MARK}${part}` : part));
    return marked.replace(new RegExp(`"${MARK}(-?\\d+)"`, "g"), "$1");
  },
};

const shortest = (number) => (BigInt(Number(number)) === number && Number.isSafeInteger(Number(number)) ? Number(number) : number);

class Example {
  #make;
  #db = new Database();
  #parts;
  #drop = null;

  constructor(source) {
    this.#make = new Function(
      "require", "db", "json", "Rejected", "DatabaseError", `${source}\nreturn { handle, processed };`,
    );
    this.#start();
  }

  // Drops a request that arrives meanwhile, if there is one, and loses what is in memory.
  async restart() {
    await Promise.race([
      new Promise((resolve) => (this.#drop = resolve)),
      new Promise((resolve) => setTimeout(resolve, 1_000)),
    ]);
    this.#start();
    this.#drop = null;
  }

  #start() {
    this.#parts = this.#make(require, this.#db, json, Rejected, DatabaseError);
  }

  async call(path, request) {
    switch (path) {
      case "hook":
        if (this.#drop !== null) {
          this.#drop();
          throw new Error("down");
        }
        try {
          return [await current.run(request, () => this.#parts.handle(request)), ""];
        } finally {
          this.#db.unlock(request);
        }
      case "processed":
        return [200, json.stringify(this.#parts.processed())];
      case "state":
        return [200, json.stringify(Object.fromEntries(this.#db.state))];
      case "restart":
        await this.restart();
        return [200, ""];
      case "break":
      case "restore":
        this.#db.isBroken = path === "break";
        return [200, ""];
      default:
        return [404, ""];
    }
  }
}

const sources = JSON.parse(readFileSync(process.argv[2], "utf8"));
const examples = new Map();
for (const [path, source] of Object.entries(sources)) {
  try {
    examples.set(path, new Example(source));
  } catch (error) {
    console.error(`${path}: ${error}`);
    process.exitCode = 1;
  }
}

if (!process.argv.includes("--check")) {
  const server = createServer({ keepAlive: true, noDelay: true }, async (request, response) => {
    const end = request.url.lastIndexOf("/");
    try {
      const [status, body] = await examples.get(request.url.slice(1, end)).call(request.url.slice(end + 1), request);
      request.resume();
      response.writeHead(status, { "Content-Length": Buffer.byteLength(body) }).end(body);
    } catch {
      request.socket.destroy();
    }
  });
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}
