import { exec } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { app } from "./hook.mjs";

test("what Campaign sends is stored once", async (t) => {
  await app.listen({ port: 8000 });
  t.after(() => app.close());
  const check = "mockcampaign check http://127.0.0.1:8000/hook --probe http://127.0.0.1:8000/processed --seed 1 --quiet";
  // Whatever a failed command writes to stderr becomes the message of its error.
  await promisify(exec)(`${check} 1>&2`, { env: { ...process.env, CHECK_BASIC_AUTH: "acme:secret" } });
});
