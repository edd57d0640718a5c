// One delivery in full: request, response, timing, and a command that sends it again.

import { call } from "./server.js";
import { isCall } from "./store.js";
import { counted, duration, element, moment, plural, since, visible } from "./text.js";

const TITLES = { called: "Call of the REST API", discarded: "Discarded" };

export class Detail {
  /** `say` shows a message to the user, `complain` an error. */
  constructor({ say, complain, back }) {
    this.say = say;
    this.complain = complain;
    this.panel = document.getElementById("detail");
    this.title = document.getElementById("detail-title");
    this.body = document.getElementById("detail-body");
    this.wanted = 0;
    this.started = 0;
    this.nameOf = String;
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        back();
      }
    });
  }

  clear() {
    this.wanted += 1;
    this.panel.hidden = true; // the list has the whole width
  }

  focus() {
    this.title.focus();
    this.panel.scrollIntoView({ block: "nearest" });
  }

  /** Show a record; of several attempts the one of that number, or the last one without a number. */
  async show(record, number) {
    this.wanted += 1;
    const { wanted } = this;
    this.panel.hidden = false;
    if (record.entry !== "attempted") {
      this.title.textContent = TITLES[record.entry] ?? "Journal entry";
      this.body.replaceChildren(facts(isCall(record) ? this.call(record) : this.other(record)));
      return;
    }
    try {
      const query = number === undefined ? "" : `?number=${number}`;
      const delivery = await call("GET", `/deliveries/${record.position}${query}`);
      if (this.wanted === wanted) {
        this.fill(record, delivery);
        this.panel.scrollTop = 0;
      }
    } catch (error) {
      if (this.wanted === wanted) {
        this.body.replaceChildren(element("p", { class: "empty" }, `Not shown: ${visible(error.message)}`));
      }
    }
  }

  call(record) {
    const { operation, line, client } = record.call;
    return [
      ["Operation", operation],
      ["Request", line],
      ["Response", record.simulated ? `simulated ${record.text}` : record.text],
      ["When", this.when(record.at)],
      ...(client === null ? [] : [["Client", client]]),
      ...(record.webhook === null ? [] : [["Webhook", this.nameOf(record.webhook)]]),
      ["Journal position", counted(record.position)],
      ["Not kept", "credentials, query and body"],
    ];
  }

  other(record) {
    return [
      ["What", record.text],
      ["When", this.when(record.at)],
      ...(record.webhook === null ? [] : [["Webhook", this.nameOf(record.webhook)]]),
      ...(record.events === null ? [] : [["Events", counted(record.events)]]),
      ["Journal position", counted(record.position)],
    ];
  }

  when(at) {
    return `${moment(at, { precise: true })} UTC (${since(at - this.started)} since the start)`;
  }

  fill(record, delivery) {
    const { request, response } = delivery;
    this.title.textContent = `Attempt ${counted(delivery.number)} of webhook ${this.nameOf(delivery.webhookId)}`;
    const took =
      delivery.wallMilliseconds === null ? "no socket used, or too long ago" : `${delivery.wallMilliseconds.toFixed(1)} ms`;
    const wire =
      delivery.bytesSent === null
        ? []
        : [["Over the wire", `${plural(delivery.bytesSent, "byte")} sent, ${counted(delivery.bytesReceived)} received`]];
    const parts = [
      facts([
        ["Outcome", (record.simulated ? "simulated " : "") + delivery.outcome + (delivery.accepted ? ", accepted" : ", to be retried or discarded")],
        ["Started", this.when(delivery.at)],
        ["Virtual duration", delivery.took ? duration(delivery.took) : "none"],
        ["Wall time", took],
        ...wire,
        ...(delivery.faults.length ? [["Faults", delivery.faults.join(", ")]] : []),
        ["Journal position", counted(delivery.position)],
      ]),
      this.tools(record, delivery),
      section(
        "Request",
        element("p", { class: "line" }, `${request.method} ${visible(request.url)}`),
        headers(request.headers),
        request.body === null
          ? element("p", { class: "muted" }, "The server no longer has its events.")
          : body("Request body", request.body, request.bodyBytes, request.bodyBytes),
      ),
      response === null
        ? section("Response", element("p", { class: "muted" }, `None: ${visible(delivery.outcome)}.`))
        : section(
            "Response",
            element("p", { class: "line" }, `Status ${response.status}`),
            headers(response.headers),
            body("Response body", response.body, new TextEncoder().encode(response.body).length, response.bodyBytes),
          ),
    ];
    this.body.replaceChildren(...parts);
  }

  tools(record, delivery) {
    const tools = element("div", { class: "tools row" });
    const parts = [tools];
    if (delivery.curl !== null) {
      const command = element("pre", { tabindex: "0", "aria-label": "curl command" }, delivery.curl);
      const shown = element("details", {}, element("summary", {}, "The command"), command);
      const copy = element("button", { type: "button", id: "copy-curl" }, "Copy as curl");
      copy.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(delivery.curl);
          this.say("Copied. The command reads credentials from HOOK_USER and HOOK_PASSWORD, or from HOOK_KEY.");
        } catch {
          // Browsers give the clipboard only to pages from this machine or over https.
          shown.open = true;
          getSelection().selectAllChildren(command);
          this.complain("this browser keeps its clipboard; the command is selected below, ready to be copied");
        }
      });
      tools.append(copy);
      parts.push(shown);
    }
    if (record.count > 1) {
      const last = record.first + record.count - 1;
      const input = element("input", {
        id: "detail-number",
        type: "number",
        min: record.first,
        max: last,
        value: delivery.number,
        required: true,
      });
      const form = element(
        "form",
        { class: "row" },
        element("label", { for: "detail-number" }, "Attempt"),
        input,
        element("span", { class: "muted" }, `of ${counted(record.first)} to ${counted(last)}, all alike`),
        element("button", { type: "submit" }, "Show"),
      );
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.show(record, input.value);
      });
      tools.append(form);
    }
    return element("div", {}, ...parts);
  }
}

function section(title, ...children) {
  return element("section", {}, element("div", { class: "section-head" }, element("h4", {}, title)), ...children);
}

function facts(pairs) {
  const list = element("dl", { class: "facts" });
  for (const [name, text] of pairs) {
    list.append(element("dt", {}, name), element("dd", {}, visible(text)));
  }
  return list;
}

function headers(pairs) {
  const list = facts(pairs);
  list.classList.add("headers");
  return list;
}

/** Return a body as it is, or indented if it is JSON; `whole` is its length if only a part was kept. */
function body(label, text, bytes, whole) {
  if (!text) {
    return element("p", { class: "muted" }, "No body.");
  }
  const indented = asJson(text);
  const shown = element("pre", { tabindex: "0", role: "region", "aria-label": label }, visible(indented ?? text));
  const length = whole > bytes ? `the first ${counted(bytes)} of ${plural(whole, "byte")}` : plural(whole, "byte");
  const head = element("p", { class: "body-head muted" }, element("span", {}, `Body, ${length}`));
  if (indented !== null) {
    const toggle = element("button", { type: "button", class: "small", "aria-pressed": "false" }, "As sent");
    toggle.addEventListener("click", () => {
      const raw = toggle.getAttribute("aria-pressed") !== "true";
      toggle.setAttribute("aria-pressed", String(raw));
      shown.textContent = visible(raw ? text : indented);
    });
    head.append(toggle);
  }
  return element("div", {}, head, shown);
}

/** Return null if indenting would change more than white space, such as the digits of a large number. */
function asJson(text) {
  try {
    const value = JSON.parse(text);
    return JSON.stringify(value) === text && typeof value === "object" ? JSON.stringify(value, null, 2) : null;
  } catch {
    return null;
  }
}
