// Mails that were sent one by one: a form that sends one, and what their recipients do.

import { call } from "./server.js";
import { counted, element, moment, plural, visible, write } from "./text.js";

const SHOWN_AT_FIRST = 10;
const SHOWN_MORE = 40;
const REFRESH_MILLISECONDS = 500;

const VERBS = {
  open: "Open",
  click: "Click…",
  unsubscribe: "Unsubscribe",
  spamcomplaint: "Complain",
  bounce: "Bounce…",
  doubleoptin: "Confirm",
};
/** Acts that have a choice, made in the dialog. */
const CHOSEN = new Set(["click", "bounce"]);
const SHOWN_ACTS = ["open", "click", "unsubscribe", "spamcomplaint", "bounce"];

const byId = (id) => document.getElementById(id);

export class Mails {
  /** `act` carries out a call and shows its result to the user, `complain` shows an error. */
  constructor({ act, complain }) {
    this.act = act;
    this.complain = complain;
    this.kinds = [];
    this.rows = new Map();
    this.list = byId("mails");
    this.empty = byId("mails-empty");
    this.count = byId("mails-count");
    this.more = byId("mails-more");
    this.kind = byId("mail-kind");
    this.lists = byId("mail-list");
    this.dialog = byId("act-dialog");
    this.shownMax = SHOWN_AT_FIRST;
    this.seen = "";
    this.busy = false;
    this.stale = false;
    this.choosing = null;
    this.kind.addEventListener("change", () => {
      this.offerLists();
      this.refresh();
    });
    this.more.addEventListener("click", () => {
      this.shownMax += SHOWN_MORE;
      this.refresh();
    });
    byId("mail-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    byId("act-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.choose();
    });
    byId("act-no").addEventListener("click", () => this.dialog.close());
  }

  /** Start anew, because another run of the server has begun. */
  begin() {
    this.seen = "";
    this.shownMax = SHOWN_AT_FIRST;
    this.learn();
  }

  /** Fetch the mails again if the journal or the clock has gone on. */
  follow(state) {
    const second = this.rows.size ? Math.floor(state.now / 1000) : 0;
    const seen = `${state.run} ${state.journal.next} ${second}`;
    if (seen !== this.seen) {
      this.seen = seen;
      this.refresh();
    }
  }

  /** Fetch the transactional mails, links and categories to choose from. */
  async learn() {
    try {
      const choices = await call("GET", "/mails/choices");
      this.kinds = choices.transactionalMails;
      const several = new Set(this.kinds.map(({ clientId }) => clientId)).size > 1;
      const wanted = this.kind.value;
      this.kind.replaceChildren(
        ...this.kinds.map(({ id, name, clientId }) =>
          element("option", { value: id }, visible(several ? `${name}, client ${clientId}` : name)),
        ),
      );
      if (this.kinds.some(({ id }) => id === wanted)) {
        this.kind.value = wanted;
      }
      byId("links").replaceChildren(...choices.links.map((link) => element("option", { value: link })));
      byId("act-link").placeholder = choices.links[0] ?? "";
      byId("act-category").replaceChildren(...choices.bounceCategories.map((word) => element("option", {}, word)));
      this.offerLists();
      this.refresh();
    } catch {
      // The server is away. Its next state asks again.
    }
  }

  get chosen() {
    return this.kinds.find(({ id }) => id === this.kind.value);
  }

  offerLists() {
    const wanted = this.lists.value;
    const lists = this.chosen?.lists ?? [];
    this.lists.replaceChildren(...lists.map(({ id, name }) => element("option", { value: id }, visible(name))));
    if (lists.some(({ id }) => id === wanted)) {
      this.lists.value = wanted;
    }
  }

  async refresh() {
    if (this.busy || !this.chosen) {
      this.stale = true;
      return;
    }
    this.busy = true;
    this.stale = false;
    try {
      const page = await call("GET", `/mails?newestFirst=true&limit=${this.shownMax}&clientId=${this.chosen.clientId}`);
      this.render(page);
    } catch {
      // The server is away. Its next state asks again.
    }
    setTimeout(() => {
      this.busy = false;
      if (this.stale) {
        this.refresh();
      }
    }, REFRESH_MILLISECONDS);
  }

  render({ mails, total }) {
    const ids = new Set(mails.map(({ mailId }) => mailId));
    for (const [id, row] of this.rows) {
      if (!ids.has(id)) {
        row.element.remove();
        this.rows.delete(id);
      }
    }
    let place = this.list.firstElementChild;
    for (const mail of mails) {
      let row = this.rows.get(mail.mailId);
      if (row === undefined) {
        row = this.made(mail);
        this.rows.set(mail.mailId, row);
      }
      if (row.element === place) {
        place = place.nextElementSibling;
      } else {
        this.list.insertBefore(row.element, place);
      }
      this.fill(row, mail);
    }
    this.list.hidden = !mails.length;
    this.empty.hidden = mails.length > 0;
    write(this.count, total ? counted(total) : "");
    const rest = total - mails.length;
    this.more.hidden = rest <= 0;
    write(this.more, `Show ${counted(Math.min(rest, SHOWN_MORE))} of ${counted(rest)} more`);
  }

  made(mail) {
    const row = {
      recipient: element("span", { class: "name" }, visible(mail.recipientId)),
      id: element("span", { class: "sub" }, `${visible(mail.mailId)}, ${moment(mail.acceptedAt)}`),
      status: element("span", { class: "status" }),
      events: element("span", { class: "events" }),
      buttons: new Map(),
      mail,
    };
    const actions = element("span", { class: "actions" });
    for (const type of SHOWN_ACTS) {
      const button = element("button", { type: "button", class: "small" }, VERBS[type]);
      button.setAttribute("aria-label", `${VERBS[type].replace("…", "")}: mail ${mail.mailId}`);
      button.addEventListener("click", () => this.press(row, type));
      row.buttons.set(type, button);
      actions.append(button);
    }
    row.element = element("li", {}, element("span", { class: "who" }, row.recipient, row.id), row.status, row.events, actions);
    return row;
  }

  fill(row, mail) {
    row.mail = mail;
    write(row.status, mail.status.replaceAll("_", " "));
    row.status.dataset.status = mail.status;
    const counts = new Map();
    for (const { type } of mail.events) {
      counts.set(type, (counts.get(type) ?? 0) + 1);
    }
    const shown = [...counts].map(([type, count]) => (count === 1 ? type : `${type} ×${count}`));
    write(row.events, shown.join(", ") || "no events yet");
    for (const [type, button] of row.buttons) {
      const able = mail.acts.includes(type);
      button.setAttribute("aria-disabled", String(!able));
      button.title = able ? "" : obstacle(mail);
    }
  }

  press(row, type) {
    const { mail } = row;
    if (!mail.acts.includes(type)) {
      this.complain(obstacle(mail));
    } else if (CHOSEN.has(type)) {
      this.ask(mail, type);
    } else {
      this.act(() => this.cause(mail, { type }));
    }
  }

  ask(mail, type) {
    this.choosing = { mail, type };
    const click = type === "click";
    write(byId("act-title"), click ? "Click a link" : "Bounce");
    write(byId("act-yes"), click ? "Click" : "Bounce");
    byId("act-link-field").hidden = !click;
    byId("act-category-field").hidden = click;
    byId("act-link").value = "";
    byId("act-after").value = "";
    write(byId("act-error"), "");
    this.dialog.showModal();
  }

  async choose() {
    const { mail, type } = this.choosing;
    const value = (id) => byId(id).value.trim();
    const choice = type === "click" ? { link: value("act-link") } : { category: value("act-category") };
    const given = Object.entries({ ...choice, after: value("act-after") }).filter(([, text]) => text);
    try {
      const done = await this.cause(mail, { type, ...Object.fromEntries(given) });
      this.dialog.close();
      this.act(() => done);
    } catch (error) {
      write(byId("act-error"), visible(error.message));
    }
  }

  async cause(mail, body) {
    const event = await call("POST", "/act", { mailId: mail.mailId, ...body });
    this.refresh();
    return `${event.type} of mail ${mail.mailId} at ${moment(event.at)}.`;
  }

  send() {
    const recipient = byId("mail-recipient").value.trim();
    this.act(async () => {
      const mail = await call("POST", "/mails", {
        recipientId: recipient,
        ...(this.chosen ? { clientId: this.chosen.clientId, transactionalMailId: this.kind.value } : {}),
        ...(this.lists.value ? { recipientListId: this.lists.value } : {}),
      });
      this.refresh();
      return mail.acts.length
        ? `Mail ${mail.mailId} is accepted; its events follow on the clock.`
        : `Mail ${mail.mailId} is accepted, but will not be sent: ${plural(mail.events.length, "event")} so far.`;
    });
  }
}

const obstacle = (mail) => `mail ${mail.mailId} is not sent to its recipient, so nothing can become of it`;
