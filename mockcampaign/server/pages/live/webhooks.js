// The table of webhooks: status, queue, next attempt and actions.

import { counted, duration, element, moment, visible, write, writeUrl } from "./text.js";

const SHOWN_AT_FIRST = 50;
const SHOWN_MORE = 200;

export class WebhooksTable {
  /**
   * `act` has `startOutage`, `endOutage`, `retry`, `update`, `verify` and `command`, each called with a webhook;
   * `hindered` shows why a command is not possible.
   */
  constructor(act) {
    this.act = act;
    this.table = document.getElementById("webhooks");
    this.frame = document.getElementById("webhooks-table");
    this.empty = document.getElementById("webhooks-empty");
    this.count = document.getElementById("webhooks-count");
    this.more = document.getElementById("webhooks-more");
    this.shownMax = SHOWN_AT_FIRST;
    this.rows = new Map();
    this.state = null;
    this.more.addEventListener("click", () => {
      this.shownMax += SHOWN_MORE;
      this.render(this.state);
    });
  }

  render(state) {
    this.state = state;
    const { webhooks } = state;
    const shown = webhooks.slice(0, this.shownMax);
    const ids = new Set(shown.map((webhook) => webhook.id));
    for (const [id, row] of this.rows) {
      if (!ids.has(id)) {
        row.element.remove();
        this.rows.delete(id);
      }
    }
    for (const webhook of shown) {
      let row = this.rows.get(webhook.id);
      if (row === undefined) {
        row = this.made(webhook.id);
        this.rows.set(webhook.id, row);
        this.table.append(row.element); // ids ascend, so new ones come last
      }
      this.fill(row, webhook, state);
    }
    this.empty.hidden = webhooks.length > 0;
    this.frame.hidden = webhooks.length === 0;
    write(this.count, webhooks.length ? counted(webhooks.length) : "");
    const rest = webhooks.length - shown.length;
    this.more.hidden = rest <= 0;
    write(this.more, `Show ${counted(Math.min(rest, SHOWN_MORE))} of ${counted(rest)} more`);
  }

  /** Count down between two states. */
  tick(now) {
    for (const row of this.rows.values()) {
      write(row.next, nextAttempt(row.webhook, now));
    }
  }

  made(id) {
    const cell = (label, attributes = {}) => element("td", { "data-label": label, ...attributes });
    const row = {
      name: element("span", { class: "name" }),
      client: element("span", { class: "sub" }),
      target: element("span"),
      authentication: element("span", { class: "sub" }),
      status: element("span", { class: "status" }),
      outage: element("span", { class: "outage" }),
      pending: cell("Pending", { class: "number" }),
      next: cell("Next attempt", { class: "next" }),
      attempts: cell("Attempts", { class: "number" }),
      delivered: cell("Delivered", { class: "number" }),
      discarded: cell("Discarded", { class: "number" }),
      toggle: element("button", { type: "button", class: "small" }),
      retry: element("button", { type: "button", class: "small" }, "Retry now"),
      verify: element("button", { type: "button", class: "small", "aria-label": `Verify webhook ${id}` }, "Verify"),
      commands: new Map(),
      result: element("p", { class: "sub result" }),
      webhook: null,
      state: null,
    };
    for (const command of COMMANDS) {
      const verb = command[0].toUpperCase() + command.slice(1);
      const text = command === "update" ? `${verb}…` : verb;
      const button = element("button", { type: "button", class: "small", "aria-label": `${verb} webhook ${id}` }, text);
      button.addEventListener("click", () => {
        if (button.getAttribute("aria-disabled") === "true") {
          this.act.hindered(obstacle(row.webhook, command, row.state));
        } else if (command === "update") {
          this.act.update(row.webhook);
        } else {
          this.act.command(row.webhook, command);
        }
      });
      row.commands.set(command, button);
    }
    row.verify.addEventListener("click", async () => {
      const { text, good } = await this.act.verify(row.webhook);
      write(row.result, text);
      row.result.dataset.good = String(good);
    });
    row.retry.setAttribute("aria-label", `Retry webhook ${id} now`);
    row.toggle.addEventListener("click", () => (row.webhook.outage ? this.act.endOutage : this.act.startOutage)(row.webhook));
    row.retry.addEventListener("click", () => {
      if (row.retry.getAttribute("aria-disabled") !== "true") {
        this.act.retry(row.webhook);
      }
    });
    row.element = element(
      "tbody",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "row" }, row.name, row.client),
        element("td", { class: "target" }, row.target, row.authentication),
        element("td", { class: "state" }, row.status, row.outage),
        row.pending,
        row.next,
        row.attempts,
        row.delivered,
        row.discarded,
      ),
      element(
        "tr",
        { class: "commands" },
        element(
          "td",
          { colspan: 8 },
          element(
            "div",
            { class: "actions" },
            element("span", { class: "group" }, ...row.commands.values(), row.verify),
            element("span", { class: "group" }, row.toggle, row.retry),
            row.result,
          ),
        ),
      ),
    );
    return row;
  }

  fill(row, webhook, state) {
    row.webhook = webhook;
    row.state = state;
    write(row.name, nameOf(webhook));
    const about = [webhook.integrationId, state.clients.length > 1 ? `client ${webhook.clientId}` : ""];
    write(row.client, visible(about.filter(Boolean).join(", ")));
    for (const [command, button] of row.commands) {
      const able = state.webhookCommands[command].includes(webhook.status);
      button.setAttribute("aria-disabled", String(!able));
      button.title = able ? "" : obstacle(webhook, command, state);
    }
    writeUrl(row.target, webhook.targetUrl);
    row.target.title = webhook.targetUrl;
    write(row.authentication, AUTHENTICATIONS[webhook.authentication]);
    write(row.status, webhook.status);
    row.status.dataset.status = webhook.status;
    // A webhook that was never activated attempts nothing that an outage could hit.
    const suffers = webhook.outage && webhook.status !== "created";
    write(row.outage, suffers ? `${webhook.outage.kind}\nuntil ${moment(webhook.outage.until).slice(5)}` : "");
    write(row.pending, counted(webhook.pending));
    write(row.next, nextAttempt(webhook, state.now));
    write(row.attempts, counted(webhook.attempts));
    write(row.delivered, counted(webhook.delivered));
    write(row.discarded, counted(webhook.discarded));
    write(row.toggle, webhook.outage ? "End outage" : "Start outage");
    row.toggle.setAttribute("aria-label", `${webhook.outage ? "End" : "Start"} outage of webhook ${webhook.id}`);
    // Not `disabled`: that would move the focus away from a button that was just pressed.
    row.retry.setAttribute("aria-disabled", String(webhook.phase !== "due" || webhook.status !== "activated"));
  }
}

const COMMANDS = ["activate", "deactivate", "update", "delete"];

const obstacle = (webhook, command, state) =>
  `${command} webhook ${webhook.id}: it is ${webhook.status}, and must be ${state.webhookCommands[command].join(" or ")}`;

const AUTHENTICATIONS = { none: "", basicAuth: "HTTP Basic", keyAuth: "key in a header" };

/** Return the name of a webhook on this page: its id and its type. */
export const nameOf = (webhook) => `${webhook.id} ${webhook.type}`;

function nextAttempt(webhook, now) {
  if (webhook.phase === "idle") {
    return "nothing to send";
  }
  if (webhook.phase === "under-way") {
    return `attempt ${webhook.attempt} in flight`;
  }
  if (webhook.status !== "activated") {
    return "held until activated";
  }
  const left = webhook.dueAt - now;
  return `attempt ${webhook.attempt} ${left < 1000 ? "now" : `in ${duration(left)}`}`;
}
