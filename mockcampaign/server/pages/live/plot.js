// Attempts over virtual time: a lane for each webhook, in which every attempt has a mark.

import { isDelivery } from "./store.js";
import { counted, moment, plural, since } from "./text.js";

const LANES_MAX = 12;
const LANES_WITH_IDLE_MAX = 6;
const LANE_HEIGHT = 26;
const AROUND_LANES = 46;
const MARK = 4;
const NEAR = 12; // pixels around a mark that belong to it
const LEAST_SPAN = 60_000;
const WIDE = 720; // pixels from which names of webhooks are shown whole
const LABEL_MAX = 44; // characters
const FONT = "12px system-ui, sans-serif";

// Times between two labels: seconds, minutes, hours and days.
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1_000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3_600_000),
  ...[1, 2, 7, 14, 28, 91].map((days) => days * 86_400_000),
];

const OUTCOMES = ["success", "failure", "discard"];

export class Plot {
  /** Calls `chosen` with the record whose mark is clicked. */
  constructor(store, { chosen }) {
    this.store = store;
    this.element = document.getElementById("plot");
    this.summary = document.getElementById("plot-summary");
    this.reading = document.getElementById("plot-reading");
    this.span = document.getElementById("span");
    this.controls = [document.getElementById("plot-key"), document.getElementById("plot-span")];
    this.isUsed = false;
    this.ruler = document.createElement("canvas").getContext("2d");
    this.zoomOption = this.span.querySelector("[value=zoom]");
    this.names = new Map();
    this.started = 0;
    this.now = 0;
    this.zoom = null;
    this.lanes = [];
    this.outages = [];
    this.drawn = []; // places of the marks, for the pointer
    this.colours = {};
    this.span.addEventListener("change", () => {
      if (this.span.value !== "zoom") {
        this.zoom = null;
        this.zoomOption.hidden = true;
      }
      this.render();
    });
    this.made = this.make();
    this.element.addEventListener("click", () => {
      if (this.near) {
        chosen(this.near.record);
      }
    });
    new ResizeObserver(() => this.fit()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.render());
  }

  know(names, state) {
    this.names = names;
    this.started = state.started;
    this.now = Math.max(state.now, state.started);
  }

  clear() {
    this.zoom = null;
    this.zoomOption.hidden = true;
    this.span.value = "all";
  }

  render() {
    const { style } = this;
    this.colours = Object.fromEntries(
      ["success", "failure", "simulated", "discard", "outage", "muted", "line", "ink"].map((name) => [
        name,
        style.getPropertyValue(`--${name}`).trim(),
      ]),
    );
    this.survey();
    for (const part of [this.element, ...this.controls]) {
      part.hidden = !this.isUsed;
    }
    this.fit();
    this.made.setData([this.range(), [0, 0]]);
  }

  get style() {
    return getComputedStyle(document.documentElement);
  }

  /** Find the lanes and the summary. */
  survey() {
    const webhooks = new Set();
    const counts = { success: 0, failure: 0, discard: 0, simulated: 0 };
    this.outages = [];
    for (const record of this.store.held()) {
      if (isDelivery(record)) {
        webhooks.add(record.webhook);
        counts[record.kind] += record.count;
        counts.simulated += record.simulated ? record.count : 0;
      } else if (record.outage) {
        this.outage(record);
      }
    }
    this.isUsed = webhooks.size > 0 || this.outages.length > 0;
    for (const id of this.names.keys()) {
      if (webhooks.size < LANES_WITH_IDLE_MAX) {
        webhooks.add(id); // webhooks that have sent nothing yet
      }
    }
    const ids = [...webhooks].sort((one, other) => one.length - other.length || (one < other ? -1 : 1));
    this.lanes = ids.length > LANES_MAX ? OUTCOMES : ids.length ? ids : [null];
    this.laneOf = new Map(this.lanes.map((lane, index) => [lane, index]));
    this.summary.textContent = !this.isUsed ? "Nothing was sent yet." :
      `${plural(counts.success, "success").replace("successs", "successes")}, ${plural(counts.failure, "failure")}` +
      `${counts.simulated ? ` (${counted(counts.simulated)} simulated)` : ""}, ` +
      `${plural(counts.discard, "discard")}` +
      (this.lanes === OUTCOMES ? `, of ${counted(ids.length)} webhooks together` : "");
  }

  outage(record) {
    const { until, webhooks } = record.outage;
    if (until !== null) {
      this.outages.push({ from: record.at, until, webhooks, ended: new Map() });
      return;
    }
    for (const outage of this.outages) {
      if (!webhooks.length) {
        outage.until = Math.min(outage.until, Math.max(record.at, outage.from));
      }
      for (const id of webhooks) {
        outage.ended.set(id, Math.min(outage.ended.get(id) ?? Infinity, record.at));
      }
    }
  }

  range() {
    const choice = this.span.value;
    if (choice === "zoom" && this.zoom) {
      return this.zoom;
    }
    const first = this.store.records.find((record) => record !== undefined)?.at ?? this.started;
    const from = choice === "all" ? first : Math.max(first, this.now - Number(choice));
    // Marks at both ends keep clear of the frame.
    const span = Math.max(this.now - from, LEAST_SPAN);
    return [from - span * 0.015, from + span * 1.015];
  }

  fit() {
    const width = this.element.clientWidth - 16;
    const height = this.lanes.length * LANE_HEIGHT + AROUND_LANES;
    if (width > 0 && (this.made.width !== width || this.made.height !== height)) {
      this.made.setSize({ width, height });
    }
  }

  make() {
    const axis = () => ({
      stroke: () => this.colours.muted,
      font: FONT,
      ticks: { show: false },
      grid: { stroke: () => this.colours.line, width: 1 },
    });
    const options = {
      width: 600,
      height: 150,
      padding: [4, 30, 0, 0], // room for half of the last label
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      scales: {
        x: { time: false, range: (_, min, max) => [min, max] },
        y: { range: () => [-0.5, this.lanes.length - 0.5], dir: -1 },
      },
      axes: [
        { ...axis(), size: 30, space: 110, incrs: STEPS, values: (_, ticks) => this.labels(ticks) },
        {
          ...axis(),
          size: () => this.lanesWidth(),
          gap: 8,
          splits: () => this.lanes.map((_, index) => index),
          values: () => this.describedLanes(),
          grid: { stroke: () => this.colours.line, width: 1 },
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        draw: [() => this.draw()],
        setCursor: [() => this.point()],
        setSelect: [() => this.zoomIn()],
      },
    };
    return new uPlot(options, [[0, 1], [0, 0]], this.element);
  }

  laneName(lane) {
    if (lane === null) {
      return "";
    }
    return OUTCOMES.includes(lane) ? lane : (this.names.get(lane) ?? `${lane} (deleted)`);
  }

  /** Return the names of the lanes: whole where there is room, otherwise without what all of them share. */
  labelsOfLanes() {
    const names = this.lanes.map((lane) => this.laneName(lane));
    if (this.element.clientWidth >= WIDE) {
      return names.map((name) => shortened(name, LABEL_MAX));
    }
    const ends = names.map((name) => name.replace(/^\d+ /, ""));
    const short = names.map((name, index) =>
      ends.filter((end) => end === ends[index]).length > 1 ? name.replace(/^\d+(?=\d{3} )/, "…") : ends[index],
    );
    return short.map((name) => shortened(name, LABEL_MAX / 2));
  }

  /** Return the labels of the lanes, and describe the plot by them to whoever cannot see it. */
  describedLanes() {
    const labels = this.labelsOfLanes();
    this.element.setAttribute("aria-description", labels.join(", "));
    return labels;
  }

  lanesWidth() {
    this.ruler.font = FONT;
    const widths = this.labelsOfLanes().map((label) => this.ruler.measureText(label).width);
    return Math.max(44, Math.ceil(Math.max(...widths)) + 20);
  }

  labels(ticks) {
    const whole = ticks.every((at) => at % 60_000 === 0);
    return ticks.map((at, index) => {
      const text = moment(at);
      const time = text.slice(11, whole ? 16 : 19);
      const newDay = index === 0 || moment(ticks[index - 1]).slice(0, 10) !== text.slice(0, 10);
      return newDay ? `${text.slice(5, 10)} ${time}` : time;
    });
  }

  draw() {
    const { ctx, bbox } = this.made;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.drawOutages(ctx, ratio);
    this.drawMarks(ctx, ratio);
    ctx.restore();
  }

  drawOutages(ctx, ratio) {
    const together = this.lanes === OUTCOMES;
    const half = (LANE_HEIGHT / 2 - 3) * ratio;
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    for (const outage of this.outages) {
      this.lanes.forEach((lane, index) => {
        if (together ? outage.webhooks.length : outage.webhooks.length && !outage.webhooks.includes(lane)) {
          return;
        }
        const until = Math.min(outage.until, (!together && outage.ended.get(lane)) || Infinity);
        const left = this.x(outage.from);
        const right = this.x(until);
        if (right > left) {
          const middle = this.y(index);
          ctx.fillStyle = this.colours.outage;
          ctx.fillRect(left, middle - half, right - left, 2 * half);
          ctx.strokeStyle = this.colours.failure;
          ctx.strokeRect(left, middle - half, right - left, 2 * half);
        }
      });
    }
    ctx.setLineDash([]);
  }

  drawMarks(ctx, ratio) {
    const size = MARK * ratio;
    const [min, max] = this.range();
    const together = this.lanes === OUTCOMES;
    const taken = new Set();
    this.drawn = [];
    const paths = Object.fromEntries([...OUTCOMES, "simulated"].map((kind) => [kind, new Path2D()]));
    // Successes first, so that they cover no failure.
    const shown = { success: [], failure: [], discard: [] };
    for (const record of this.store.held()) {
      if (isDelivery(record) && record.end >= min && record.at <= max) {
        shown[record.kind].push(record);
      }
    }
    for (const kind of OUTCOMES) {
      for (const record of shown[kind]) {
        const lane = this.laneOf.get(together ? kind : record.webhook);
        const x = this.x(record.at);
        const y = this.y(lane);
        const end = record.count > 1 ? this.x(record.end) : x;
        const look = record.simulated ? "simulated" : kind;
        const key = `${look} ${lane} ${Math.round(x / ratio)} ${Math.round(end / ratio)}`;
        if (!taken.has(key)) {
          taken.add(key);
          SHAPES[look](paths[look], x, y, size, end);
          this.drawn.push({ record, left: x / ratio, right: end / ratio, y: y / ratio });
        }
      }
    }
    ctx.fillStyle = this.colours.success;
    ctx.fill(paths.success);
    for (const kind of ["failure", "simulated", "discard"]) {
      ctx.strokeStyle = this.colours[kind];
      ctx.lineWidth = 1.7 * ratio;
      ctx.stroke(paths[kind]);
    }
  }

  x(at) {
    return this.made.valToPos(at, "x", true);
  }

  y(lane) {
    return this.made.valToPos(lane, "y", true);
  }

  /** Describe the mark under the pointer. */
  point() {
    const { left, top } = this.made.cursor;
    const { bbox } = this.made;
    const x = left + bbox.left / devicePixelRatio;
    const y = top + bbox.top / devicePixelRatio;
    this.near = null;
    let nearest = NEAR;
    for (const drawn of left >= 0 ? this.drawn : []) {
      const away = Math.hypot(Math.max(drawn.left - x, 0, x - drawn.right), drawn.y - y);
      if (away <= nearest) {
        nearest = away;
        this.near = drawn;
      }
    }
    this.element.classList.toggle("pointing", this.near !== null);
    this.reading.textContent = this.near ? this.described(this.near.record) : "";
  }

  described(record) {
    const last = record.first + record.count - 1;
    const which = record.count > 1 ? `attempts ${counted(record.first)} to ${counted(last)}` : `attempt ${counted(record.first)}`;
    const outcome = record.simulated ? `simulated ${record.text}` : record.text;
    const what = record.kind === "discard" ? record.text : `${which}: ${outcome}`;
    return `${moment(record.at)} (${since(record.at - this.started)}), ${this.laneName(record.webhook)}, ${what}`;
  }

  zoomIn() {
    const { left, width } = this.made.select;
    if (width < 4) {
      return;
    }
    this.zoom = [this.made.posToVal(left, "x"), this.made.posToVal(left + width, "x")];
    this.made.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.zoomOption.hidden = false;
    this.span.value = "zoom";
    this.render();
  }
}

const shortened = (name, max) => (name.length > max ? `${name.slice(0, max - 1)}…` : name);

/** Shapes of the outcomes, the same as the marks in the list. */
const SHAPES = {
  success(path, x, y, size) {
    path.moveTo(x + size, y);
    path.arc(x, y, size, 0, 2 * Math.PI);
  },
  failure(path, x, y, size, end) {
    if (end - x > 2 * size) {
      path.moveTo(x, y - size);
      path.lineTo(x, y + size);
      path.moveTo(x, y);
      path.lineTo(end, y);
      path.moveTo(end, y - size);
      path.lineTo(end, y + size);
      return;
    }
    const middle = (x + end) / 2;
    const arm = size * 0.85;
    path.moveTo(middle - arm, y - arm);
    path.lineTo(middle + arm, y + arm);
    path.moveTo(middle + arm, y - arm);
    path.lineTo(middle - arm, y + arm);
  },
  simulated(path, x, y, size, end) {
    if (end - x > 2 * size) {
      SHAPES.failure(path, x, y, size, end);
      return;
    }
    const middle = (x + end) / 2;
    path.moveTo(middle, y - size);
    path.lineTo(middle + size, y + size * 0.9);
    path.lineTo(middle - size, y + size * 0.9);
    path.closePath();
  },
  discard(path, x, y, size) {
    const arm = size * 1.15;
    path.moveTo(x, y - arm);
    path.lineTo(x + arm, y);
    path.lineTo(x, y + arm);
    path.lineTo(x - arm, y);
    path.closePath();
  },
};
