// The faults in force, and the form that declares another one.

import { call } from "./server.js";
import { counted, duration, element, plural, visible } from "./text.js";

/** Return whether faults of this kind hit calls of the REST API. */
const ofCalls = (kind) => kind.startsWith("api-");

const PLACEHOLDERS = {
  "lost-ack": '{"dropped": "before-response"}',
  "api-error": '{"timing": "after-effect"}',
  "api-timeout": '{"timing": "after-effect", "hold": "60s"}',
  "api-slow": '{"time": "2s"}',
};

export class Faults {
  /** `act` carries out a call and shows its result to the user. */
  constructor(act) {
    this.act = act;
    this.form = document.getElementById("fault-form");
    this.kind = document.getElementById("fault-kind");
    this.webhook = document.getElementById("fault-webhook");
    this.operation = document.getElementById("fault-operation");
    this.kind.addEventListener("change", () => this.offer());
    this.settings = document.getElementById("fault-settings");
    this.list = document.getElementById("faults");
    this.empty = document.getElementById("faults-empty");
    this.shown = "";
    this.names = "";
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.declare();
    });
  }

  render(state, names) {
    this.know(state, names);
    const shown = JSON.stringify(state.faults);
    if (shown === this.shown) {
      return;
    }
    this.shown = shown;
    const focused = document.activeElement?.closest("[data-number]")?.dataset.number;
    this.list.replaceChildren(...state.faults.map((fault) => this.line(fault, state)));
    this.list.querySelector(`[data-number="${focused}"] button`)?.focus();
    this.empty.hidden = state.faults.length > 0;
  }

  know(state, names) {
    if (!this.kind.options.length) {
      const group = (label, kinds) => element("optgroup", { label }, ...kinds.map((kind) => element("option", {}, kind)));
      this.kind.append(
        group("Deliveries", state.faultKinds.filter((kind) => !ofCalls(kind))),
        group("Calls of the REST API", state.faultKinds.filter(ofCalls)),
      );
      this.kind.value = "lost-ack";
      this.operation.append(...state.operations.map((operation) => element("option", {}, operation)));
      this.offer();
    }
    const known = JSON.stringify([...names]);
    if (known !== this.names) {
      this.names = known;
      const wanted = this.webhook.value;
      const options = [...names].map(([id, name]) => element("option", { value: id }, name));
      this.webhook.replaceChildren(element("option", { value: "" }, "all"), ...options);
      this.webhook.value = names.has(wanted) ? wanted : "";
    }
  }

  /** Offer what the chosen kind may concern: a webhook, or an operation. */
  offer() {
    const calls = ofCalls(this.kind.value);
    this.webhook.closest(".field").hidden = calls;
    this.operation.closest(".field").hidden = !calls;
    this.settings.placeholder = PLACEHOLDERS[this.kind.value] ?? "none needed";
  }

  line(view, state) {
    const { kind, times, for: span, every, probability, ...settings } = view.fault;
    const limits = [
      ...Object.entries(settings).map(([name, value]) => `${name} ${value}`),
      ...(times === undefined ? [] : [plural(times, "time")]),
      ...(every === undefined ? [] : [`every ${every}.`]),
      ...(probability === undefined ? [] : [`probability ${probability}`]),
      ...(view.until === null ? [] : [`${duration(Math.max(view.until - state.now, 0))} left`]),
    ];
    const hooks = view.webhookId === null ? "all webhooks" : `webhook ${view.webhookId}`;
    const whose = ofCalls(kind) ? (settings.operation === undefined ? "all operations" : "") : hooks;
    const end = element("button", { type: "button", class: "small", "aria-label": `End fault ${view.number}` }, "End");
    end.addEventListener("click", () =>
      this.act(() => call("DELETE", `/faults/${view.number}`), `Fault ${view.number} has ended.`),
    );
    return element(
      "li",
      { "data-number": view.number },
      element(
        "span",
        {},
        element("strong", {}, kind),
        element("span", { class: "sub" }, visible([whose, ...limits].filter(Boolean).join(", "))),
        element("span", { class: "sub" }, `has hit ${plural(view.hits, ofCalls(kind) ? "call" : "attempt")}`),
      ),
      end,
    );
  }

  declare() {
    const field = (name) => document.getElementById(`fault-${name}`).value.trim();
    this.act(async () => {
      const body = { kind: this.kind.value, ...settingsFrom(field("settings")) };
      if (ofCalls(this.kind.value)) {
        if (this.operation.value) {
          body.operation = this.operation.value;
        }
      } else if (this.webhook.value) {
        body.webhookId = this.webhook.value;
      }
      if (field("times")) {
        body.times = Number(field("times"));
      }
      if (field("for")) {
        body.for = field("for");
      }
      const declared = await call("POST", "/faults", body);
      return `Fault ${counted(declared.number)}, ${declared.fault.kind}, is in force.`;
    });
  }
}

function settingsFrom(text) {
  if (!text) {
    return {};
  }
  try {
    const settings = JSON.parse(text);
    if (typeof settings === "object" && settings !== null && !Array.isArray(settings)) {
      return settings;
    }
  } catch {
    // said below
  }
  throw new Error('settings: not a JSON object, allowed: one such as {"dropped": "before-response"}');
}
