// The list of deliveries, one page at a time, for pointer and keyboard.

import { isCall, isDelivery } from "./store.js";
import { counted, element, mark, moment, since, visible, write } from "./text.js";

const PAGE = 100;

const TROUBLE = new Set(["failure", "discard", "call-failure"]);

const FILTERS = {
  both: (record) => isDelivery(record) || isCall(record),
  deliveries: isDelivery,
  calls: isCall,
  trouble: (record) => TROUBLE.has(record.kind),
  all: () => true,
};

export class Rows {
  /** Calls `chosen` with the chosen record, and `entered` when the user wants its details. */
  constructor(store, { chosen, entered }) {
    this.store = store;
    this.chosen = chosen;
    this.box = document.getElementById("rows");
    this.empty = document.getElementById("rows-empty");
    this.count = document.getElementById("rows-count");
    this.pageText = document.getElementById("page-text");
    this.kind = document.getElementById("filter-kind");
    this.webhook = document.getElementById("filter-webhook");
    this.newest = document.getElementById("newest");
    this.newer = document.getElementById("newer");
    this.older = document.getElementById("older");
    this.names = new Map();
    this.started = 0;
    this.outageKinds = [];
    this.selected = null; // a position
    this.top = null; // the position of the page's first row; null: the newest
    this.found = []; // positions that pass the filters, newest first
    this.options = new Map();
    for (const select of [this.kind, this.webhook]) {
      select.addEventListener("change", () => {
        this.top = null;
        this.render();
        this.box.scrollTop = 0;
      });
    }
    this.newest.addEventListener("click", () => this.turnTo(0));
    this.newer.addEventListener("click", () => this.turnTo(this.begin() - PAGE));
    this.older.addEventListener("click", () => this.turnTo(this.begin() + PAGE));
    this.box.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) {
        this.select(Number(row.dataset.position));
      }
    });
    this.box.addEventListener("keydown", (event) => {
      const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Enter" && this.selected !== null) {
        event.preventDefault();
        entered();
      } else if (move !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
        event.preventDefault();
        this.step(move);
      }
    });
  }

  /** Take the names of existing webhooks, for the rows and the filter. */
  know(names, { started, outageKinds }) {
    this.started = started;
    this.outageKinds = outageKinds;
    if (names.size === this.names.size && [...names].every(([id, name]) => this.names.get(id) === name)) {
      return;
    }
    this.names = names;
    const wanted = this.webhook.value;
    const options = [...names].map(([id, name]) => element("option", { value: id }, name));
    if (wanted && !names.has(wanted)) {
      options.push(element("option", { value: wanted }, `${wanted} (deleted)`));
    }
    this.webhook.replaceChildren(element("option", { value: "" }, "any"), ...options);
    this.webhook.value = wanted;
  }

  clear() {
    this.selected = null;
    this.top = null;
  }

  /** Return the index of the page's first row in `found`. */
  begin() {
    if (this.top === null) {
      return 0;
    }
    const index = this.found.findIndex((position) => position <= this.top);
    return index < 0 ? Math.max(0, this.found.length - PAGE) : index;
  }

  turnTo(index) {
    this.top = index <= 0 ? null : this.found[Math.min(index, this.found.length - 1)];
    this.render();
    this.box.scrollTop = 0;
  }

  /** Choose a record, and show its page. */
  select(position, { reveal = false } = {}) {
    const record = this.store.at(position);
    if (record === undefined) {
      return;
    }
    this.selected = position;
    if (reveal && !this.options.has(position)) {
      const index = this.found.indexOf(position);
      if (index >= 0) {
        this.top = index < PAGE ? null : position;
      }
    }
    this.render();
    this.options.get(position)?.element.scrollIntoView({ block: "nearest" });
    this.chosen(record);
  }

  step(by) {
    const index = this.found.indexOf(this.selected);
    const begin = this.begin();
    const last = Math.min(begin + PAGE, this.found.length) - 1;
    let target;
    if (by === -Infinity) {
      target = begin;
    } else if (by === Infinity) {
      target = last;
    } else {
      target = index < 0 ? begin : Math.min(Math.max(index + by, 0), this.found.length - 1);
    }
    if (this.found[target] === undefined) {
      return;
    }
    if (target > last) {
      this.top = this.found[begin + PAGE];
    } else if (target < begin) {
      this.top = begin - PAGE <= 0 ? null : this.found[begin - PAGE];
    }
    this.select(this.found[target]);
  }

  render() {
    const passes = FILTERS[this.kind.value];
    const webhook = this.webhook.value === "" ? null : this.webhook.value;
    this.found = [];
    const { records, base } = this.store;
    for (let index = records.length - 1; index >= 0; index -= 1) {
      const record = records[index];
      if (record !== undefined && passes(record) && (webhook === null || record.webhook === webhook)) {
        this.found.push(base + index);
      }
    }
    const begin = this.begin();
    const page = this.found.slice(begin, begin + PAGE);
    this.box.hidden = !page.length;
    this.empty.hidden = page.length > 0 || this.store.missing > 0; // the missing ones are being fetched
    const kept = new Set(page);
    for (const [position, option] of this.options) {
      if (!kept.has(position)) {
        option.element.remove();
        this.options.delete(position);
      }
    }
    const elements = page.map((position) => this.option(position).element);
    let place = this.box.firstElementChild;
    for (const [index, shown] of elements.entries()) {
      if (shown === place) {
        place = place.nextElementSibling;
      } else {
        this.box.insertBefore(shown, place);
      }
      shown.setAttribute("aria-selected", String(page[index] === this.selected));
    }
    const active = this.options.get(this.selected);
    if (active) {
      this.box.setAttribute("aria-activedescendant", active.element.id);
    } else {
      this.box.removeAttribute("aria-activedescendant");
    }
    const total = this.found.length;
    write(this.pageText, total ? `${counted(begin + 1)} to ${counted(begin + page.length)} of ${counted(total)}` : "");
    const dropped = this.store.base ? `, and ${counted(this.store.base)} older journal entries dropped` : "";
    write(this.count, total || dropped ? counted(total) + dropped : "");
    this.newest.disabled = this.newer.disabled = begin === 0;
    this.older.disabled = begin + PAGE >= total;
  }

  option(position) {
    const record = this.store.at(position);
    const known = this.options.get(position);
    const name = record.webhook === null ? "" : (this.names.get(record.webhook) ?? `${record.webhook} (deleted)`);
    if (known && known.record === record && known.name === name && known.started === this.started) {
      return known;
    }
    // The outcome itself shows an outage.
    const faults = record.faults.filter((kind) => !this.outageKinds.includes(kind));
    const named = faults.length ? `${record.text} (${faults.join(", ")})` : record.text;
    const text = record.simulated ? `simulated ${named}` : named;
    const cell = (kind, text, title) => element("span", { class: kind, title: title ?? false }, visible(text));
    const made = element(
      "div",
      {
        id: `row-${position}`,
        role: "option",
        class: `entry ${record.kind}${record.simulated ? " simulated" : ""}${record.events === 1 ? " single" : ""}`,
        "data-position": position,
      },
      mark(record.simulated ? "simulated" : record.kind),
      cell("time", moment(record.at).slice(5), moment(record.at, { precise: true })),
      cell("since", since(record.at - this.started)),
      cell("hook clip", name, name),
      isCall(record) ? cell("attempt clip", record.call.name, record.call.line) : cell("attempt", attemptsOf(record)),
      cell("outcome clip", text, record.simulated ? `${text}: a fault or outage of this double, not of the consumer or caller` : text),
      cell("number size", record.events === null ? "" : counted(record.events)),
    );
    if (known) {
      known.element.replaceWith(made);
    }
    const option = { element: made, record, name, started: this.started };
    this.options.set(position, option);
    return option;
  }
}

function attemptsOf(record) {
  if (record.entry !== "attempted") {
    return record.entry === "discarded" ? "" : record.entry.replace("-", " ");
  }
  const last = record.first + record.count - 1;
  return record.count === 1 ? counted(record.first) : `${counted(record.first)} to ${counted(last)}`;
}
