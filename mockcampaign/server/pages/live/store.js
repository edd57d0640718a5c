// The newest entries of the journal, without gaps once the missing ones are fetched.

import { call } from "./server.js";
import { counted, duration, plural } from "./text.js";

/** Maximum number of entries, as many as the server holds. */
export const RECORDS_MAX = 20_000;
const PAGE = 1_000;

/** Return whether a record is an attempt or a discard. */
export const isDelivery = ({ kind }) => kind === "success" || kind === "failure" || kind === "discard";

/** Return whether a record is a call of the REST API. */
export const isCall = ({ entry }) => entry === "called";

export class Store {
  constructor(changed) {
    this.changed = changed;
    this.clear();
  }

  /** Forget everything, because another run of the server has begun. */
  clear() {
    this.life = {}; // earlier requests belong to another run
    this.base = 0;
    this.records = [];
    this.missing = 0;
    this.filling = false;
    this.changed();
  }

  get next() {
    return this.base + this.records.length;
  }

  at(position) {
    return this.records[position - this.base];
  }

  /** Return all records, oldest first. */
  *held() {
    for (const record of this.records) {
      if (record !== undefined) {
        yield record;
      }
    }
  }

  /** Start with the entries from before this page was opened. */
  begin(journal) {
    this.clear();
    this.base = Math.max(journal.first, journal.next - RECORDS_MAX);
    this.records = new Array(journal.next - this.base);
    this.missing = this.records.length;
    this.fill();
  }

  add(entry) {
    const index = entry.position - this.base;
    if (index < 0) {
      return;
    }
    if (index > this.records.length) {
      this.missing += index - this.records.length;
    } else if (index < this.records.length && this.records[index] === undefined) {
      this.missing -= 1;
    }
    this.records[index] = recorded(entry);
    if (this.records.length > RECORDS_MAX + PAGE) {
      this.drop(this.records.length - RECORDS_MAX);
    }
    this.fill();
    this.changed();
  }

  /** Note that entries below a position exist, which may be missing because the connection was lost. */
  reach(next) {
    if (next > this.next) {
      this.missing += next - this.next;
      this.records.length = next - this.base;
      this.fill();
    }
  }

  drop(count) {
    for (const record of this.records.splice(0, count)) {
      if (record === undefined) {
        this.missing -= 1;
      }
    }
    this.base += count;
  }

  /** Fetch missing entries, the newest first, one page at a time. */
  async fill() {
    if (this.filling || !this.missing) {
      return;
    }
    this.filling = true;
    const { life } = this;
    try {
      while (this.missing) {
        const page = await call("GET", `/journal?before=${this.lastGap()}&limit=${PAGE}`);
        if (this.life !== life) {
          return;
        }
        if (page.first > this.base) {
          this.drop(Math.min(page.first - this.base, this.records.length)); // the server has dropped them
        }
        for (const entry of page.entries) {
          const index = entry.position - this.base;
          if (index >= 0 && index < this.records.length && this.records[index] === undefined) {
            this.records[index] = recorded(entry);
            this.missing -= 1;
          }
        }
        this.changed();
      }
    } catch {
      // The server is away. Its next message fetches the missing entries.
    } finally {
      if (this.life === life) {
        this.filling = false;
      }
    }
  }

  /** Return the position after the newest missing one. */
  lastGap() {
    let index = this.records.length - 1;
    while (this.records[index] !== undefined) {
      index -= 1;
    }
    return this.base + index + 1;
  }
}

/** Return the part of a journal entry that the page needs. Bodies stay on the server until they are shown. */
function recorded(entry) {
  const record = {
    position: entry.position,
    entry: entry.entry,
    kind: "other",
    at: entry.at,
    end: entry.at,
    webhook: entry.webhook_id ?? null,
    first: entry.first_number ?? 0,
    count: entry.entry === "attempted" ? entry.count : 1,
    interval: entry.interval ?? 0,
    events: null,
    text: "",
    faults: entry.faults ?? [],
    simulated: entry.simulated_failure ?? false,
    outage: null,
    call: null,
  };
  const describe = DESCRIBED[entry.entry];
  if (describe) {
    describe(record, entry);
  } else {
    record.text = entry.entry;
  }
  return record;
}

const DESCRIBED = {
  attempted(record, entry) {
    record.kind = entry.accepted ? "success" : "failure";
    record.end = entry.at + entry.interval * (entry.count - 1);
    record.events = entry.events;
    record.text = entry.status_text;
  },
  discarded(record, entry) {
    record.kind = "discard";
    record.events = entry.serials.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    record.text = `discarded: ${entry.reason}`;
  },
  began(record, entry) {
    record.text = `began, with seed ${entry.seed}`;
  },
  "webhook-changed"(record, entry) {
    record.text = `${entry.command}: ${entry.status}`;
  },
  happened(record, entry) {
    record.events = entry.count;
    record.text = `${entry.type} of client ${entry.client_id}${entry.webhook_ids.length ? "" : ", exported by no webhook"}`;
  },
  "outage-declared"(record, entry) {
    record.outage = { until: entry.until, webhooks: entry.webhook_ids };
    record.text = `outage of ${concerned(entry)} for ${duration(entry.until - entry.at)}: ${entry.kind}`;
  },
  "outage-ended"(record, entry) {
    record.outage = { until: null, webhooks: entry.webhook_ids };
    record.text = `outage of ${concerned(entry)} ended`;
  },
  "fault-declared"(record, entry) {
    record.text = `fault ${entry.number} of ${concerned(entry)}: ${entry.fault.kind}`;
  },
  "fault-ended"(record, entry) {
    record.text = `fault ${entry.number} ended: ${entry.kind}`;
  },
  "mail-sent"(record, entry) {
    const result = entry.result === "sent" ? "" : `, not sent: ${entry.result}`;
    record.text = `mail ${entry.mail_id} of client ${entry.client_id}${result}`;
  },
  "client-changed"(record, entry) {
    const count = entry.count === 1 ? "" : `, ${entry.count} of them`;
    record.text = `client ${entry.client_id}: ${entry.command} ${entry.what}${count}`;
  },
  verified(record, entry) {
    record.events = entry.events;
    record.text = `verified: ${entry.outcome.status ?? entry.outcome.reason ?? "timed out"}`;
  },
  called(record, entry) {
    record.kind = entry.status === null || entry.status >= 400 ? "call-failure" : "call";
    record.webhook = entry.ids.webhookId ?? null;
    record.call = {
      name: entry.operation_text,
      operation: entry.operation || "none of this double",
      line: `${entry.method} ${entry.path}`,
      client: entry.client_id,
    };
    record.text = entry.status_text;
    record.faults = []; // the text names them
  },
  probed(record, entry) {
    record.text = `probe: ${plural(entry.count, "event")} stored`;
  },
  "step-reached"(record, entry) {
    record.text = `step ${counted(entry.index + 1)} of the scenario`;
  },
};

const concerned = ({ webhook_ids: ids }) => (ids.length ? `webhook ${ids.join(", ")}` : "all webhooks");
