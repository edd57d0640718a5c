// Checks of a consumer, and runs of scenarios: whoever started them, the page shows how far they are.

import { call } from "./server.js";
import { counted, element, visible, write } from "./text.js";

const byId = (id) => document.getElementById(id);

const REPORTS = [["report.html", "HTML report"], ["junit.xml", "JUnit"], ["report.json", "JSON"]];
const VERDICTS = { compliant: "compliant", violated: "violated", "could-not-tell": "inconclusive" };

export class Checks {
  /** `act` carries out an action of the user and shows its result. */
  constructor(act) {
    this.act = act;
    this.items = new Map();
    byId("check-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.act(() => this.start());
    });
  }

  async start() {
    const given = (name) => byId(`check-${name}`).value.trim();
    const names = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
    const started = await call("POST", "/check", {
      target: given("target"),
      rules: names(given("rules")),
      ...(given("probe") ? { probe: { url: given("probe") } } : {}),
      ...(given("user")
        ? { authentication: { type: "basicAuth", userName: given("user"), password: byId("check-password").value } }
        : {}),
    });
    return `Check ${started.id} has begun: ${counted(started.total)} rules.`;
  }

  follow({ checks }) {
    byId("checks-empty").hidden = checks.length > 0;
    const kept = new Set(checks.map(({ id }) => id));
    for (const [id, item] of this.items) {
      if (!kept.has(id)) {
        item.remove();
        this.items.delete(id);
      }
    }
    for (const check of checks) {
      let item = this.items.get(check.id);
      if (item === undefined) {
        item = this.made(check);
        this.items.set(check.id, item);
        byId("checks").prepend(item);
      }
      this.show(item, check);
    }
  }

  made({ id, kind, target }) {
    const name = `${kind} ${id}`;
    const remove = element("button", { type: "button" }, "Remove", element("span", { class: "hidden" }, ` ${name}`));
    remove.addEventListener("click", () => this.act(() => call("DELETE", `/checks/${id}`), `The ${name} is removed.`));
    const links = REPORTS.map(([file, text]) =>
      element("a", { href: `/__mockcampaign/checks/${id}/${file}`, target: "_blank", rel: "noopener" }, text, element("span", { class: "hidden" }, ` of ${name}`)),
    );
    return element(
      "li",
      {},
      element("strong", {}, name[0].toUpperCase() + name.slice(1)),
      element("span", { class: "sub" }, visible(target)),
      element("span", { class: "check-state" }),
      element("progress", { "aria-label": `Progress of ${name}` }),
      element("span", { class: "row check-reports" }, ...links),
      remove,
    );
  }

  show(item, { status, done, total, following, verdict, headline, trouble, hasResult }) {
    const running = status === "running";
    const text = item.querySelector(".check-state");
    const progress = item.querySelector("progress");
    text.dataset.verdict = verdict ?? "";
    const now = `${counted(done)} of ${counted(total)}${following ? `, now ${following}` : ""}`;
    const why = [headline, trouble].filter(Boolean).map(visible).join("; ");
    write(text, running ? now : `${VERDICTS[verdict]}${why ? `: ${why}` : ""}`);
    progress.hidden = !running;
    progress.max = total;
    progress.value = done;
    item.querySelector(".check-reports").hidden = !hasResult;
  }
}
