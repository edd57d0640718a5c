"use strict";
/* Draws the plots and the attempts, and filters. Every text goes in as text: nothing here is ever taken for HTML. */
(async () => {
  const UNITS = [["d", 86400000], ["h", 3600000], ["m", 60000], ["s", 1000], ["ms", 1]];
  const narrow = matchMedia("(max-width: 760px)").matches;
  const ROWS_AT_ONCE = 20;
  const FINDINGS_AT_ONCE = narrow ? 12 : 24;
  const GOOD_AT_ONCE = 12;
  const PROBLEMS_AT_ONCE = 20;
  const LANES = [
    ["accepted", "--success", "200"],
    ["rejected", "--failure", "not 200"],
    ["silent", "--silent", "no response"],
    ["discard", "--discard", "discarded"],
  ];
  const COLUMNS = [
    {name: "When", kind: "when"},
    {name: "Webhook", kind: "hook", text: (attempt, names) => names.get(attempt.webhook) ?? ""},
    {name: "Attempt", kind: "attempt", text: (attempt) => numbers(attempt) + remarks(attempt)},
    {name: "Events", kind: "number events", text: (attempt) => String(attempt.events)},
    {name: "Outcome", kind: "outcome", text: (attempt) => visible(attempt.outcome.what)},
    {name: "Took", kind: "number took", text: tookText},
  ];
  const LANE_HEIGHT = 17; // CSS pixels, as all sizes here
  const MARK = 4;

  const scenarios = await unpacked(document.getElementById("data").textContent);
  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  const views = [...document.querySelectorAll(".scenario")].map((section) => scenarioView(section, scenarios[section.dataset.index]));
  foldTables();
  foldScenarios();
  filterFindings();
  showEvidence();
  copyable();
  followTheme();
  document.documentElement.dataset.ready = "";

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }

  function duration(milliseconds) {
    let rest = Math.round(milliseconds);
    let text = "";
    for (const [unit, size] of UNITS) {
      const number = Math.floor(rest / size);
      rest -= number * size;
      if (number) text += number + unit;
    }
    return text || "0s";
  }

  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function count(number, word) {
    return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
  }

  // One scenario: its plots share their range of time, which the table of attempts keeps to.

  function scenarioView(section, data) {
    const {rows, outcomes, targets, events, detail} = data.attempts;
    const all = rows.map(([position, webhook, at, first, times, interval, took, outcome, serials, redelivered, remarks, target, measured]) => ({
      position, webhook, at, first, times, interval, took, outcome: outcomes[outcome], serials, redelivered, remarks, measured,
      target: targets[target], last: at + interval * (times - 1),
      events: [...serials, ...redelivered].reduce((sum, [from, to]) => sum + to - from + 1, 0),
    }));
    const names = new Map(data.series.map((series) => [series.id, series.name]));
    const details = section.querySelector("details");
    const view = {data, plots: [], attempts: null, reveal, length: Math.max(data.length, 1)};
    const unzoom = section.querySelector(".unzoom");
    const draw = () => {
      if (!details.open || view.attempts) return;
      view.attempts = attemptsTable(section.querySelector(".attempts"), all, names, events, detail);
      for (const series of data.series) {
        const figure = section.querySelector(`figure[data-webhook="${series.id}"]`);
        if (!figure.querySelector(".canvas")) continue; // nothing took time
        const own = all.filter((attempt) => attempt.webhook === series.id);
        view.plots.push(plot(figure, series, own, view, zoomed, (attempt) => view.attempts.open(attempt)));
      }
    };
    details.addEventListener("toggle", draw);
    draw();
    unzoom?.addEventListener("click", () => zoom(null));

    function zoom(range) {
      for (const each of view.plots) each.zoom(range);
      zoomed(range);
    }

    function zoomed(range) {
      if (unzoom) unzoom.hidden = !range;
      view.attempts.within(range);
      for (const each of view.plots) each.zoom(range);
    }

    function reveal() {
      section.classList.remove("away");
      details.open = true;
      draw();
    }
    return view;
  }

  // Plots

  function plot(figure, series, attempts, view, zoomed, choose) {
    const canvas = figure.querySelector(".canvas");
    const chart = series.chart;
    const marks = [
      ...attempts.map((attempt) => ({
        lane: LANES.findIndex(([lane]) => lane === attempt.outcome.lane), from: attempt.at, to: attempt.last, attempt,
      })),
      ...chart.discards.map(([at, number, reason]) => ({
        lane: 3, from: at, to: at, text: `${count(number, "event")} discarded: ${reason}`,
      })),
    ];
    const points = chart.pending.length ? chart.pending : [[0, 0]];
    const most = Math.max(1, ...points.map(([, number]) => number));
    const last = points[points.length - 1];
    const data = [
      [...points.map(([at]) => at), Math.max(view.length, last[0])],
      [...points.map(([, number]) => number), last[1]],
    ];
    const whole = [-view.length * 0.01, view.length * 1.01];
    let range = null;
    let quiet = false;
    const tip = element("div", {className: "tip", hidden: true});

    const lanesHeight = LANES.length * LANE_HEIGHT;
    const made = new uPlot({
      width: Math.max(canvas.clientWidth, 280),
      height: 240,
      legend: {show: false},
      padding: [6, 24, 0, 0], // room for half of the last label
      cursor: {y: false, points: {show: false}, drag: {x: true, y: false, setScale: true}},
      scales: {
        x: {time: false, range: (self, low, high) => (range ? [low, high] : whole)},
        y: {
          range: (self) => {
            // The lanes of marks lie above the line.
            const height = (self.bbox.height || 200 * devicePixelRatio) / devicePixelRatio;
            return [0, (most * height) / Math.max(height - lanesHeight - 8, 20)];
          },
        },
      },
      series: [
        {},
        {
          label: "pending", width: 1.5, points: {show: false}, paths: uPlot.paths.stepped({align: 1}),
          stroke: () => color("--pending"), fill: () => color("--area"),
        },
      ],
      axes: [
        {
          stroke: () => color("--muted"), grid: {stroke: () => color("--line"), width: 1}, ticks: {stroke: () => color("--line")},
          space: 90, size: 34, values: (self, splits) => splits.map((at) => (at < 0 ? "" : `+${duration(at)}`)),
          incrs: [1, 10, 100, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 12e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 2592e5, 6048e5, 25920e5],
        },
        {
          stroke: () => color("--muted"), grid: {show: false}, ticks: {show: false}, size: 82,
          incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 2500, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6],
          filter: (self, splits) => splits.map((value) => (value <= most ? value : null)),
          values: (self, splits) => splits.map((value) => (value === null ? "" : value.toLocaleString("en"))),
        },
      ],
      hooks: {
        drawClear: [drawBands],
        draw: [drawMarks],
        setCursor: [hover],
        setScale: [(self, key) => {
          if (key !== "x" || quiet) return;
          const {min, max} = self.scales.x;
          const full = max - min >= (whole[1] - whole[0]) * 0.999;
          range = full ? null : [min, max];
          zoomed(range);
        }],
      },
    }, data, canvas);
    canvas.append(tip);
    made.over.addEventListener("mousedown", () => { range = range || []; });
    made.over.addEventListener("dblclick", () => { range = null; zoom(null); zoomed(null); });
    made.over.addEventListener("click", () => {
      const mark = nearest(made.cursor.left, made.cursor.top);
      if (mark?.attempt) choose(mark.attempt);
    });
    new ResizeObserver(() => {
      const width = Math.max(canvas.clientWidth, 280);
      if (width !== made.width) made.setSize({width, height: 240});
    }).observe(canvas);
    figure.plot = {chart: made, marks, lanes: LANES, laneTop};

    function laneTop(lane) {
      return (lane + 0.5) * LANE_HEIGHT + 2;
    }

    function drawBands(self) {
      const {ctx, bbox} = self;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      // An outage lies over a fault, which stays to be seen below it.
      const faults = chart.bands.filter(({kind}) => kind === "fault");
      for (const band of [...faults, ...chart.bands.filter(({kind}) => kind !== "fault")]) {
        const from = self.valToPos(band.start, "x", true);
        const to = self.valToPos(band.end, "x", true);
        const covers = band.kind !== "fault" && faults.some(({start, end}) => start < band.end && end > band.start);
        ctx.fillStyle = color(`--${band.kind}`);
        ctx.fillRect(from, bbox.top, Math.max(to - from, 2 * devicePixelRatio), bbox.height * (covers ? 0.85 : 1));
      }
      ctx.restore();
    }

    function drawMarks(self) {
      const {ctx, bbox} = self;
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      LANES.forEach(([, name, label], lane) => {
        ctx.fillStyle = color(name);
        ctx.fillText(label, bbox.left - 8 * ratio, bbox.top + laneTop(lane) * ratio);
      });
      ctx.beginPath();
      ctx.rect(bbox.left - MARK * ratio, bbox.top, bbox.width + 2 * MARK * ratio, bbox.height);
      ctx.clip();
      const size = MARK * ratio;
      LANES.forEach(([lane, name], index) => {
        ctx.strokeStyle = ctx.fillStyle = color(name);
        ctx.lineWidth = 1.6 * ratio;
        const y = bbox.top + laneTop(index) * ratio;
        let drawn = -Infinity;
        for (const mark of marks) {
          if (mark.lane !== index) continue;
          const from = self.valToPos(mark.from, "x", true);
          const to = self.valToPos(mark.to, "x", true);
          if (to < bbox.left - size || from > bbox.left + bbox.width + size) continue;
          if (to - from > size) {
            drawRun(ctx, from, to, y, size);
          } else if (Math.abs(from - drawn) > 0.5) {
            drawMark(ctx, lane, from, y, size);
            drawn = from; // thousands at one place are one mark
          }
        }
      });
      ctx.restore();
    }

    function drawRun(ctx, from, to, y, size) {
      ctx.beginPath();
      ctx.moveTo(from, y);
      ctx.lineTo(to, y);
      for (const x of [from, to]) {
        ctx.moveTo(x, y - size);
        ctx.lineTo(x, y + size);
      }
      ctx.stroke();
    }

    function drawMark(ctx, lane, x, y, size) {
      ctx.beginPath();
      if (lane === "rejected") {
        ctx.moveTo(x - size, y - size);
        ctx.lineTo(x + size, y + size);
        ctx.moveTo(x + size, y - size);
        ctx.lineTo(x - size, y + size);
        ctx.stroke();
      } else if (lane === "discard") {
        ctx.moveTo(x, y - size * 1.2);
        ctx.lineTo(x + size * 1.2, y);
        ctx.lineTo(x, y + size * 1.2);
        ctx.lineTo(x - size * 1.2, y);
        ctx.fill();
      } else {
        ctx.arc(x, y, size, 0, 2 * Math.PI);
        if (lane === "accepted") ctx.fill();
        else ctx.stroke();
      }
    }

    function nearest(left, top) {
      if (!(left >= 0)) return null;
      const lane = Math.floor((top - 2) / LANE_HEIGHT);
      let best = null;
      let distance = 9;
      for (const mark of marks) {
        if (mark.lane !== lane) continue;
        const from = made.valToPos(mark.from, "x");
        const to = made.valToPos(mark.to, "x");
        const away = left < from ? from - left : left > to ? left - to : 0;
        if (away < distance || (away === 0 && best === null)) [best, distance] = [mark, away];
      }
      return best;
    }

    function hover(self) {
      const {left, top} = self.cursor;
      if (!(left >= 0)) {
        tip.hidden = true;
        return;
      }
      const mark = nearest(left, top);
      const at = self.posToVal(left, "x");
      let text;
      if (mark) {
        text = mark.attempt ? describe(mark.attempt) : `+${duration(mark.from)}: ${mark.text}`;
      } else {
        const next = data[0].findIndex((moment) => moment > at);
        const pending = data[1][Math.max((next < 0 ? data[0].length : next) - 1, 0)];
        const bands = chart.bands.filter((band) => band.start <= at && at <= band.end).map((band) => `\n${band.what}`);
        text = `+${duration(Math.max(at, 0) - (Math.max(at, 0) % 1000))}: ${count(pending, "event")} pending${bands.join("")}`;
      }
      self.over.style.cursor = mark?.attempt ? "pointer" : "crosshair";
      tip.textContent = text;
      tip.hidden = false;
      const x = self.over.offsetLeft + left;
      tip.style.left = x > canvas.clientWidth / 2 ? "" : `${x + 14}px`;
      tip.style.right = x > canvas.clientWidth / 2 ? `${canvas.clientWidth - x + 14}px` : "";
      tip.style.top = `${self.over.offsetTop + top + 14}px`;
    }

    function zoom(wanted) {
      if (String(wanted) === String(range) && !quiet && made.scales.x.min !== null && matches(wanted)) return;
      quiet = true;
      range = wanted;
      const [min, max] = wanted || whole;
      made.batch(() => made.setScale("x", {min, max}));
      quiet = false;
    }

    function matches(wanted) {
      const [min, max] = wanted || whole;
      return made.scales.x.min === min && made.scales.x.max === max;
    }
    return {zoom, redraw: () => made.redraw(false), resize: (width) => made.setSize({width, height: 240})};
  }

  function numbers(attempt) {
    return attempt.times > 1 ? `${attempt.first}–${attempt.first + attempt.times - 1}` : String(attempt.first);
  }

  function remarks(attempt) {
    return attempt.remarks.length ? ` (${attempt.remarks.join(", ")})` : "";
  }

  function when(attempt) {
    const from = `+${duration(attempt.at)}`;
    return attempt.times > 1 ? `${from} … +${duration(attempt.last)}` : from;
  }

  function describe(attempt) {
    const every = attempt.times > 1 ? `, every ${duration(attempt.interval)}` : "";
    return `${when(attempt)}: attempt ${numbers(attempt)}${remarks(attempt)}${every}, batch of ${attempt.events}\n${outcomeText(attempt)}`;
  }

  function tookText({took, measured}) {
    if (took) return duration(took);
    // No virtual time passed, but wall time did.
    return measured.match(/^after ([\d.,]+(?: to [\d.,]+)? ms)/)?.[1] ?? "–";
  }

  function outcomeText({outcome, measured}) {
    return visible(outcome.what) + (measured && `, ${measured}`);
  }

  // Attempts

  function attemptsTable(place, all, names, events, detail) {
    if (!all.length) {
      place.append(element("p", {className: "muted", textContent: "Nothing was sent."}));
      return {within() {}, open() {}, only() {}};
    }
    let range = null;
    let evidence = null;
    let shown = ROWS_AT_ONCE;
    const outcome = element("select", {ariaLabel: "Outcome"}, option("", "all outcomes"), option("accepted", "responded 200"),
      option("rejected", "responded another status"), option("silent", "no response"));
    const webhook = element("select", {ariaLabel: "Webhook"}, option("", "all webhooks"),
      ...[...names].map(([id, name]) => option(String(id), name)));
    webhook.hidden = names.size < 2;
    const status = element("output", {className: "count"});
    const everything = element("button", {type: "button", className: "small", textContent: "Show all", hidden: true});
    const body = element("tbody");
    // A column that says the same in each line says nothing.
    const columns = COLUMNS.filter(({name}) => (name !== "Webhook" || names.size > 1)
      && (name !== "Took" || all.some((attempt) => tookText(attempt) !== "–")));
    const table = element("table", {},
      element("caption", {className: "hidden", textContent: "Attempts; each opens to its request and response"}),
      element("thead", {}, element("tr", {}, ...columns.map(({name, kind}) =>
        element("th", {scope: "col", className: kind.includes("number") ? "number" : "", textContent: name})))),
      body);
    const more = element("button", {type: "button", className: "more", hidden: true});
    place.append(element("div", {className: "controls"}, outcome, webhook, everything, status), element("div", {className: "frame"}, table), more);
    outcome.addEventListener("change", again);
    webhook.addEventListener("change", again);
    everything.addEventListener("click", () => only(null));
    more.addEventListener("click", () => { shown += 500; render(); });
    render();

    function option(value, text) {
      return element("option", {value, textContent: text});
    }

    function again() {
      shown = ROWS_AT_ONCE;
      render();
    }

    function wanted() {
      return all.filter((attempt) => (!outcome.value || attempt.outcome.lane === outcome.value)
        && (!webhook.value || String(attempt.webhook) === webhook.value)
        && (!range || (attempt.last >= range[0] && attempt.at <= range[1]))
        && (!evidence || evidence.has(attempt.position)));
    }

    function render() {
      const found = wanted();
      body.replaceChildren(...found.slice(0, shown).map(row));
      const notes = [`${found.length.toLocaleString("en")} of ${count(all.length, "line")}`];
      if (range) notes.push("in the zoomed range");
      if (evidence) notes.push("that are evidence");
      status.textContent = notes.join(", ");
      everything.hidden = !evidence;
      more.hidden = found.length <= shown;
      more.textContent = `Show ${Math.min(500, found.length - shown)} more`;
    }

    function cell(kind, textContent) {
      return element("td", {className: textContent === "–" ? `${kind} zero` : kind, textContent});
    }

    function row(attempt) {
      const button = element("button", {type: "button", className: "open", ariaExpanded: "false", textContent: when(attempt)});
      const made = element("tr", {}, element("td", {className: "when"}, button), ...columns.slice(1).map(({kind, text}) =>
        cell(kind === "outcome" ? `came-to ${attempt.outcome.lane}` : kind, text(attempt, names))));
      made.dataset.position = attempt.position;
      let exchange = null;
      button.addEventListener("click", () => {
        const opening = button.ariaExpanded !== "true";
        button.ariaExpanded = String(opening);
        if (opening) made.after(exchange = element("tr", {className: "detail"}, element("td", {colSpan: columns.length}, exchanged(attempt, events, detail))));
        else exchange.remove();
      });
      made.open = () => { if (button.ariaExpanded !== "true") button.click(); button.focus(); made.scrollIntoView({block: "center"}); };
      return made;
    }

    function open(attempt) {
      if (!wanted().includes(attempt)) {
        outcome.value = webhook.value = "";
        evidence = null;
      }
      const index = wanted().indexOf(attempt);
      shown = Math.max(shown, index + 1);
      render();
      body.querySelector(`tr[data-position="${attempt.position}"]`)?.open();
    }

    function only(positions) {
      evidence = positions;
      outcome.value = webhook.value = "";
      again();
    }

    return {within(wantedRange) { range = wantedRange; again(); }, open, only};
  }

  function exchanged(attempt, events, detail) {
    const [url, credentials] = attempt.target ?? ["", "none"];
    const serials = [...attempt.serials, ...attempt.redelivered].flatMap(([from, to]) => Array.from({length: to - from + 1}, (_, index) => from + index));
    const known = serials.map((serial) => events[serial]).filter((event) => event !== undefined);
    const left = serials.length - known.length;
    const head = [`POST ${url}`, "Content-Type: application/json"];
    if (credentials === "basicAuth") head.push("Authorization: Basic ***");
    if (credentials === "keyAuth") head.push("(a header with a key: ***)");
    const lines = known.join(",\n");
    const list = known.length ? `[\n${lines}${left ? `,\n… and ${count(left, "more event")}` : ""}\n]` : `[… ${count(left, "event")}]`;
    const made = element("div", {className: "exchange"});
    made.append(element("div", {className: left || !known.length ? "wide" : ""},
      element("h4", {textContent: attempt.times > 1 ? `Request, ${attempt.times.toLocaleString("en")} times every ${duration(attempt.interval)}${remarks(attempt)}` : "Request"}),
      text("Request", visible(`${head.join("\n")}\n\n${list}`))));
    const response = attempt.outcome;
    const words = response.status === null ? response.what
      : `HTTP ${response.status}\n${response.headers.map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${response.body}${remark(response)}`;
    made.append(element("div", {className: left || !known.length ? "wide" : ""},
      element("h4", {textContent: response.status === null ? "No response" : "Response"}),
      element("p", {className: "muted", textContent: attempt.measured, hidden: !attempt.measured}), text("Response", visible(words))));
    if (known.length && !left) {
      const secret = {basicAuth: " -u \"$USERNAME:$PASSWORD\"", keyAuth: " -H \"$KEY: $PASSPHRASE\""}[credentials] ?? "";
      const command = `curl -i${secret} -H 'Content-Type: application/json' --data-binary ${quoted(`[${known.join(",")}]`)} ${quoted(url)}`;
      made.append(element("div", {className: "wide"}, copyButton("Copy as curl", () => command)));
    }
    return made;

    function remark({body, body_bytes: bytes}) {
      if (!bytes) return "(no body)";
      const kept = new TextEncoder().encode(body).length;
      return bytes > kept || !detail.text ? `\n(${count(bytes, "byte")} in all)` : "";
    }
  }

  function text(label, content) {
    // It may scroll, so it must be reachable with the keyboard.
    return element("pre", {tabIndex: 0, role: "region", ariaLabel: label, textContent: content});
  }

  function quoted(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
  }

  function visible(text) {
    // Control and format characters are spelled out: they must neither hide nor turn around what stands beside them.
    return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, (char) => "\n\t".includes(char) ? char
      : `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`);
  }

  // Folding: a long page is short until somebody asks for more. On paper everything is shown.

  function foldTables() {
    for (const table of document.querySelectorAll("table[data-fold]")) {
      const rows = [...table.tBodies[0].rows].slice(Number(table.dataset.fold));
      if (rows.length > 1) fold(rows, table.parentElement, count(rows.length, `more ${table.dataset.what}`));
    }
  }

  function foldScenarios() {
    const place = document.getElementById("scenarios-more");
    const problems = [...document.querySelectorAll(".scenario:not(.good)")];
    // What is wrong is not to be sought among what is right.
    const good = [...document.querySelectorAll(".scenario.good")].slice(problems.length ? 0 : GOOD_AT_ONCE);
    if (good.length > 1) fold(good, place, `${good.length}${problems.length ? "" : " more"} compliant scenarios`);
    const more = problems.slice(PROBLEMS_AT_ONCE);
    if (more.length > 1) fold(more, place, `${more.length} more problems`);
  }

  function fold(elements, place, what) {
    const button = element("button", {type: "button", className: "more", textContent: `Show ${what}`});
    for (const each of elements) each.classList.add("away");
    button.addEventListener("click", () => {
      for (const each of elements) each.classList.remove("away");
      button.remove();
    });
    place.after(button);
  }

  // Findings

  function filterFindings() {
    const form = document.getElementById("filter");
    const text = document.getElementById("filter-text");
    const rows = [...document.querySelectorAll("#findings > tbody > tr")];
    const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const result = document.getElementById("filter-count");
    const more = document.getElementById("findings-more");
    const wrong = rows.some((row) => !["pass", "not-exercised"].includes(row.dataset.outcome));
    let shown = wrong ? FINDINGS_AT_ONCE : 12;
    more.addEventListener("click", () => {
      shown = Infinity;
      apply();
    });
    if (narrow) {
      // One violation fills the screen of a phone.
      for (const details of [...document.querySelectorAll("#findings details[open]")].slice(1)) details.open = false;
    }
    for (const row of rows) {
      const details = row.querySelector("details");
      const widen = () => {
        row.classList.toggle("open", details.open);
        row.cells[1].colSpan = details.open ? 3 : 1;
      };
      details.addEventListener("toggle", widen);
      widen();
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", apply);
    apply();

    function apply() {
      const outcomes = new Set([...form.querySelectorAll("input[name=outcome]:checked")].map((box) => box.value));
      const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      for (const row of rows) {
        row.hidden = !outcomes.has(row.dataset.outcome) || !wanted.every((word) => words.get(row).includes(word));
        found += !row.hidden;
        row.classList.toggle("away", found > shown);
      }
      more.hidden = found <= shown;
      more.textContent = `Show ${found - shown} more`;
      result.textContent = `${found} of ${rows.length}`;
    }
  }

  function showEvidence() {
    for (const button of document.querySelectorAll("button[data-evidence]")) {
      button.addEventListener("click", () => {
        const view = views[button.dataset.scenario];
        view.reveal();
        view.attempts.only(new Set(button.dataset.evidence.split(" ").map(Number)));
        document.getElementById(`attempts-${button.dataset.scenario}-title`).scrollIntoView();
      });
    }
    for (const link of document.querySelectorAll('a[href^="#scenario-"]')) {
      link.addEventListener("click", () => views[link.hash.slice("#scenario-".length)].reveal());
    }
  }

  function copyable() {
    for (const text of document.querySelectorAll("pre.copy")) {
      text.parentElement.classList.add("beside");
      text.after(copyButton("Copy", () => text.textContent));
    }
  }

  function copyButton(label, content) {
    const button = element("button", {type: "button", className: "small", textContent: label});
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(content());
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed here";
      }
      setTimeout(() => { button.textContent = label; }, 2000);
    });
    return button;
  }

  function followTheme() {
    const redraw = () => views.forEach((view) => view.plots.forEach((each) => each.redraw()));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    addEventListener("beforeprint", () => {
      document.documentElement.dataset.print = "";
      redraw();
    });
    addEventListener("afterprint", () => {
      delete document.documentElement.dataset.print;
      redraw();
    });
  }
})();
