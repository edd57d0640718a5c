// The live page: shows the messages of the stream, and sends the user's actions to the control API.

import { Checks } from "./live/checks.js";
import { Detail } from "./live/detail.js";
import { Faults } from "./live/faults.js";
import { Mails } from "./live/mails.js";
import { Plot } from "./live/plot.js";
import { Rows } from "./live/rows.js";
import { call, follow } from "./live/server.js";
import { Stored } from "./live/stored.js";
import { Store } from "./live/store.js";
import { counted, element, moment, plural, since, visible, write } from "./live/text.js";
import { WebhookForm } from "./live/webhookform.js";
import { nameOf, WebhooksTable } from "./live/webhooks.js";

const RENDER_MILLISECONDS = 150;
const TICK_MILLISECONDS = 250;

const byId = (id) => document.getElementById(id);

let state = null;
let receivedAt = 0; // by this page's own clock
let changed = false;
let reconnected = false;
let lastRender = 0;

// Messages to the user

function say(text) {
  byId("message").textContent = visible(text);
  byId("alert").textContent = "";
}

function complain(text) {
  byId("message").textContent = "";
  byId("alert").textContent = visible(text);
}

/** Carry out an action of the user and show its result: `done`, or the text that `work` returns. */
async function act(work, done) {
  try {
    const result = await work();
    say(done ?? result);
  } catch (error) {
    complain(error.message);
  }
}

// The parts of the page

const store = new Store(() => {
  changed = true;
});
const detail = new Detail({ say, complain, back: () => byId("rows").focus() });
const rows = new Rows(store, { chosen: (record) => detail.show(record), entered: () => detail.focus() });
const plot = new Plot(store, {
  chosen: (record) => {
    rows.select(record.position, { reveal: true });
    byId("deliveries").scrollIntoView({ block: "nearest" });
  },
});
const faults = new Faults(act);
const mails = new Mails({ act, complain });
const stored = new Stored();
const checks = new Checks(act);
const webhookForm = new WebhookForm(act);
const DONE = { activate: "is activated", deactivate: "is deactivated", delete: "is deleted" };
const webhooks = new WebhooksTable({
  hindered: complain,
  update: (webhook) => webhookForm.open(webhook),
  command: ({ id }, command) =>
    act(
      () => (command === "delete" ? call("DELETE", `/webhooks/${id}`) : call("POST", `/webhooks/${id}/${command}`)),
      `Webhook ${id} ${DONE[command]}.`,
    ),
  verify: async ({ id }) => {
    let result = { text: "", good: false };
    await act(async () => {
      const { httpStatusCode: status, responseBody: body } = await call("POST", `/webhooks/${id}/verify`, {});
      const good = status === 200;
      const outcome = status ? `the URL responded ${status}` : `no response: ${body}`;
      result = { text: visible(`Verified at ${moment(state.now)}: ${outcome}${good ? "" : ", Campaign wants 200"}.`), good };
      return `Webhook ${id} is verified: ${outcome}.`;
    });
    return result;
  },
  startOutage: (webhook) => startOutage(webhook.id),
  endOutage: (webhook) =>
    act(() => call("DELETE", `/outages?webhookId=${webhook.id}`), `The outage of webhook ${webhook.id} has ended.`),
  retry: (webhook) => act(() => call("POST", `/webhooks/${webhook.id}/retry`), `Webhook ${webhook.id} sends now.`),
});

function render() {
  changed = false;
  lastRender = performance.now();
  const names = new Map(state.webhooks.map((webhook) => [webhook.id, nameOf(webhook)]));
  detail.started = state.started;
  detail.nameOf = (id) => names.get(id) ?? `${id} (deleted)`;
  rows.know(names, state);
  plot.know(names, state);
  faults.render(state, names);
  webhooks.render(state);
  mails.follow(state);
  stored.follow(state);
  checks.follow(state);
  rows.render();
  plot.render();
  renderTotals();
  for (const placeholder of document.querySelectorAll(".loading")) {
    placeholder.remove();
  }
}

function renderTotals() {
  const { deliveries } = state;
  write(byId("total-attempts"), counted(deliveries.attempts));
  write(byId("total-delivered"), counted(deliveries.delivered));
  write(byId("total-discarded"), counted(deliveries.discarded));
  write(byId("total-pending"), counted(deliveries.pending));
  const sum = (counts) => counts.reduce((whole, { calls: count }) => whole + count, 0);
  write(byId("total-calls"), counted(sum(state.calls)));
  write(byId("total-failed-calls"), counted(sum(state.calls.filter(({ status }) => status === null || status >= 400))));
  const calls = state.unsupported.map(({ operation, calls: count }) => `${operation} (${counted(count)})`);
  byId("unsupported").hidden = !calls.length;
  write(byId("unsupported-calls"), visible(calls.join(", ")));
}

function frame() {
  if (state !== null && changed && performance.now() - lastRender >= RENDER_MILLISECONDS) {
    render();
  }
  requestAnimationFrame(frame);
}

/** Virtual time goes on between two states. */
function tick() {
  if (state === null) {
    return;
  }
  const passed = state.advancing ? 0 : (performance.now() - receivedAt) * state.speed;
  const now = state.now + passed;
  write(byId("now"), moment(now));
  write(byId("elapsed"), since(now - state.started));
  webhooks.tick(now);
}

// Messages of the server

function begin(fresh) {
  detail.clear();
  rows.clear();
  plot.clear();
  store.begin(fresh.journal);
  fill(byId("emit-type"), fresh.types);
  fill(byId("outage-kind"), fresh.outageKinds);
  webhookForm.know(fresh.types);
  mails.begin();
  byId("captured").hidden = fresh.capturedTypes.length === 0;
  write(byId("captured"), `As captured, and without mailings: ${fresh.capturedTypes.join(", ")}.`);
  byId("clients").replaceChildren(...fresh.clients.map((client) => element("option", { value: client })));
}

function fill(select, words) {
  if (select.options.length !== words.length) {
    select.replaceChildren(...words.map((word) => element("option", {}, word)));
  }
}

function showSpeed({ speed }) {
  const select = byId("speed");
  const known = [...select.options].find((option) => Number(option.value) === speed);
  if (known === undefined) {
    select.append(element("option", { value: speed }, counted(speed)));
  }
  if (Number(select.value) !== speed) {
    select.value = String(known?.value ?? speed);
  }
}

const CONNECTIONS = { live: "Live", lost: "Connection lost, reconnecting" };

follow({
  connection(how) {
    reconnected = true;
    byId("connection").dataset.state = how;
    write(byId("connection-text"), CONNECTIONS[how]);
  },
  state(fresh) {
    const another = state?.run !== fresh.run;
    state = fresh;
    receivedAt = performance.now();
    if (another) {
      begin(fresh);
    } else if (reconnected) {
      store.reach(fresh.journal.next);
    }
    reconnected = false;
    showSpeed(fresh);
    changed = true;
    tick();
  },
  entry(entry) {
    // The run of the server is unknown before the first state, whose journal includes the entry.
    if (state !== null) {
      store.add(entry);
    }
  },
});
setInterval(tick, TICK_MILLISECONDS);
requestAnimationFrame(frame);

// Actions of the user

function onSubmit(id, work) {
  const form = byId(id);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.busy) {
      return;
    }
    form.dataset.busy = "yes";
    const button = form.querySelector("[type=submit]");
    button.setAttribute("aria-disabled", "true");
    await act(work);
    button.setAttribute("aria-disabled", "false");
    delete form.dataset.busy;
  });
}

const clientFrom = (id) => (byId(id).value.trim() ? { clientId: byId(id).value.trim() } : {});

onSubmit("emit-form", async () => {
  const type = byId("emit-type").value;
  const over = byId("emit-over").value.trim();
  const body = { type, count: byId("emit-count").valueAsNumber, ...clientFrom("emit-client"), ...(over ? { over } : {}) };
  const { events, webhookIds } = await call("POST", "/emit", body);
  const what = `${plural(events, `${type} event`)}${over ? ` over ${over}` : ""}`;
  return webhookIds.length
    ? `${what} for webhook ${webhookIds.slice(0, 10).join(", ")}${webhookIds.length > 10 ? " and more" : ""}.`
    : `${what}, but no activated webhook has this type: nothing is exported.`;
});

onSubmit("mailing-form", async () => {
  const body = { recipients: byId("mailing-recipients").valueAsNumber, ...clientFrom("mailing-client") };
  const sent = await call("POST", "/mailing", body);
  return `Mailing ${sent.mailingId} is sent; ${plural(sent.events, "event")} fall due as time passes.`;
});

onSubmit("advance-form", async () => {
  const by = byId("advance-by").value.trim();
  say(`Advancing by ${by}…`);
  const clock = await call("POST", "/clock/advance", { by });
  return `It is ${moment(clock.now)} now.`;
});

byId("speed").addEventListener("change", () =>
  act(async () => {
    const { speed } = await call("PUT", "/clock/speed", { speed: Number(byId("speed").value) });
    return speed ? `${plural(speed, "virtual second")} per second.` : "Time moves only when you advance it.";
  }),
);

function startOutage(webhookId) {
  const kind = byId("outage-kind").value;
  const span = byId("outage-for").value.trim();
  const body = { kind, for: span, ...(webhookId === undefined ? {} : { webhookId }) };
  const whose = webhookId === undefined ? "All webhooks have" : `Webhook ${webhookId} has`;
  return act(() => call("POST", "/outages", body), `${whose} an outage for ${span}: ${kind}.`);
}

byId("outage-all").addEventListener("click", () => startOutage());
byId("outage-end-all").addEventListener("click", () =>
  act(() => call("DELETE", "/outages"), "All outages have ended."),
);

const dialog = byId("reset-dialog");
byId("reset").addEventListener("click", () => dialog.showModal());
byId("reset-no").addEventListener("click", () => dialog.close());
byId("reset-yes").addEventListener("click", () => {
  dialog.close();
  act(() => call("POST", "/reset"), "Everything is reset.");
});
