// The dialog that creates a webhook, or changes one. The server checks every field, and its message is shown there.

import { call } from "./server.js";
import { element, visible, write } from "./text.js";

const FIELDS = ["integrationId", "targetUrl", "type", "clientId", "authentication"];

const byId = (id) => document.getElementById(id);
const value = (id) => byId(id).value.trim();

export class WebhookForm {
  /** `act` shows the result of a call to the user. */
  constructor(act) {
    this.act = act;
    this.dialog = byId("webhook-dialog");
    this.form = byId("webhook-form");
    this.error = byId("webhook-error");
    this.auth = byId("webhook-auth");
    this.webhook = null;
    byId("webhook-new").addEventListener("click", () => this.open(null));
    byId("webhook-cancel").addEventListener("click", () => this.dialog.close());
    // Secrets do not stay in a closed form.
    this.dialog.addEventListener("close", () => this.form.reset());
    this.auth.addEventListener("change", () => this.offer());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
  }

  know(types) {
    const select = byId("webhook-type");
    if (select.options.length !== types.length) {
      select.replaceChildren(...types.map((type) => element("option", {}, type)));
    }
  }

  /** Open the form for a new webhook, or with the fields of one. */
  open(webhook) {
    this.webhook = webhook;
    this.form.reset();
    this.reject("");
    const changes = webhook !== null;
    write(byId("webhook-title"), changes ? `Update webhook ${webhook.id}` : "New webhook");
    write(byId("webhook-save"), changes ? "Update" : "Create");
    for (const name of ["integrationId", "type", "clientId"]) {
      this.field(name).hidden = changes; // no command changes them
    }
    this.auth.querySelector("[value=keep]").hidden = !changes;
    this.auth.value = changes ? "keep" : "none";
    byId("webhook-url").value = webhook?.targetUrl ?? "";
    this.offer();
    this.dialog.showModal();
    byId(changes ? "webhook-url" : "webhook-name").focus();
  }

  offer() {
    byId("webhook-basic").hidden = this.auth.value !== "basicAuth";
    byId("webhook-key").hidden = this.auth.value !== "keyAuth";
  }

  field(name) {
    return this.form.querySelector(`[data-field=${name}]`);
  }

  async save() {
    const { webhook } = this;
    const button = byId("webhook-save");
    if (button.getAttribute("aria-disabled") === "true") {
      return;
    }
    button.setAttribute("aria-disabled", "true");
    try {
      const done = webhook === null ? await this.create() : await this.update(webhook);
      this.dialog.close();
      this.act(() => done);
    } catch (error) {
      this.reject(error.message);
    } finally {
      button.setAttribute("aria-disabled", "false");
    }
  }

  async create() {
    const made = await call("POST", "/webhooks", {
      type: value("webhook-type"),
      targetUrl: value("webhook-url"),
      authentication: this.credentials(),
      integrationId: value("webhook-name"),
      ...(value("webhook-client") ? { clientId: value("webhook-client") } : {}),
    });
    return `Webhook ${made.id} is created. It sends nothing before you activate it.`;
  }

  async update({ id }) {
    const authentication = this.credentials();
    const changes = { targetUrl: value("webhook-url"), ...(authentication ? { authentication } : {}) };
    await call("PUT", `/webhooks/${id}`, changes);
    return `Webhook ${id} is updated.`;
  }

  credentials() {
    switch (this.auth.value) {
      case "basicAuth":
        return { type: "basicAuth", userName: byId("webhook-user").value, password: byId("webhook-password").value };
      case "keyAuth":
        return { type: "keyAuth", key: byId("webhook-header").value, passphrase: byId("webhook-passphrase").value };
      case "none":
        return { type: "none" };
      default:
        return undefined;
    }
  }

  /** Show why the server rejects the form, each part at the field that it names. */
  reject(text) {
    for (const shown of this.form.querySelectorAll(".field .form-error")) {
      shown.remove();
    }
    const rest = [];
    const wrong = new Map();
    for (const part of text.split(/; (?=[A-Za-z]+: )/)) {
      const name = part.slice(0, Math.max(part.indexOf(":"), 0));
      if (FIELDS.includes(name)) {
        wrong.set(name, part.slice(name.length + 2));
      } else {
        rest.push(part);
      }
    }
    write(this.error, visible(rest.join("; ")));
    for (const name of FIELDS) {
      const control = this.field(name).querySelector("input, select");
      control.setAttribute("aria-invalid", String(wrong.has(name)));
      control.removeAttribute("aria-describedby");
      if (wrong.has(name)) {
        const id = `webhook-error-${name}`;
        control.setAttribute("aria-describedby", id);
        this.field(name).append(element("p", { id, class: "form-error", role: "alert" }, visible(wrong.get(name))));
      }
    }
    this.form.querySelector("[aria-invalid=true]")?.focus();
  }
}
