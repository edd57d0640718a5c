// What the consumer has stored, as its probe reports it, beside what it has acknowledged.

import { call } from "./server.js";
import { counted, element, moment, plural, visible, write } from "./text.js";

const ASK_AGAIN_MILLISECONDS = 1000;
const ASK_AGAIN_MAX = 3;

const byId = (id) => document.getElementById(id);

export class Stored {
  constructor() {
    this.panel = byId("stored");
    this.settled = "";
    this.left = 0;
    this.timer = undefined;
    this.life = {};
    byId("stored-refresh").addEventListener("click", () => this.refresh());
  }

  /** Ask the probe again when deliveries have settled. */
  follow(state) {
    this.panel.hidden = state.probe === null;
    if (state.probe === null) {
      return;
    }
    write(byId("stored-source"), visible(state.probe));
    const { deliveries } = state;
    const inFlight = state.webhooks.some(({ phase }) => phase === "under-way");
    const settled = `${state.run} ${deliveries.attempts} ${deliveries.delivered}`;
    if (!inFlight && settled !== this.settled) {
      this.settled = settled;
      this.left = ASK_AGAIN_MAX;
      this.refresh();
    }
  }

  async refresh() {
    clearTimeout(this.timer);
    const life = (this.life = {});
    let found;
    try {
      found = await call("GET", "/stored");
    } catch (error) {
      if (this.life === life) {
        this.show(null, `Not known: ${visible(error.message)}`);
      }
      return;
    }
    if (this.life !== life) {
      return;
    }
    const { missing, duplicate, altered } = found;
    const differs = missing + duplicate + altered > 0;
    const older = found.dropped ? ` Events that the server has dropped are not compared.` : "";
    const verdict = differs ? `The consumer's events differ from those it acknowledged: ${visible(found.summary)}.` : "The consumer has what it acknowledged.";
    this.show(found, `${verdict} As of ${moment(found.at)}. The probe reports ${plural(found.reported, "event")} in all.${older}`);
    if (missing && this.left > 0) {
      // Many consumers store events after they have responded.
      this.left -= 1;
      this.timer = setTimeout(() => this.refresh(), ASK_AGAIN_MILLISECONDS);
    }
  }

  show(found, verdict) {
    const text = byId("stored-verdict");
    write(text, verdict);
    const known = found !== null;
    const differs = known && found.missing + found.duplicate + found.altered > 0;
    text.dataset.state = known ? (differs ? "differs" : "same") : "unknown";
    for (const name of ["acknowledged", "missing", "duplicate", "altered"]) {
      write(byId(`stored-${name}`), known ? counted(found[name]) : "–");
      byId(`stored-${name}`).dataset.wrong = String(known && name !== "acknowledged" && found[name] > 0);
    }
    write(byId("stored-count"), known ? counted(found.found) : "–");
    const events = found?.events ?? [];
    byId("stored-details").hidden = !events.length;
    write(byId("stored-summary"), `Show ${plural(events.length, "event")} of the difference`);
    byId("stored-events").replaceChildren(
      ...events.map(({ kind, event, fields }) =>
        element(
          "li",
          {},
          element("strong", {}, kind),
          ` ${visible(event)}`,
          fields.length ? element("span", { class: "sub" }, `other values in ${visible(fields.join(", "))}`) : "",
        ),
      ),
    );
  }
}
