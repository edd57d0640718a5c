"use strict";
/* Draws the plots of a load. */
(() => {
  const loads = JSON.parse(atob(document.getElementById("data").textContent));
  for (const section of document.querySelectorAll(".step")) drawAll(section, loads[section.dataset.index]);
  document.documentElement.dataset.ready = "";

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function line(label, name, area) {
    return {label, width: 1.5, points: {show: false}, stroke: () => color(name), fill: area ? () => color(area) : undefined};
  }

  function drawAll(section, load) {
    const figure = (name) => section.querySelector(`[data-plot="${name}"] .canvas`);
    draw(figure("backlog"), [load.seconds, load.pending], [{label: "s"}, line("pending", "--first", "--area")], {outages: load.outages});
    draw(
      figure("rate"), [load.seconds, load.offered, load.accepted],
      [{label: "s"}, line("occurred", "--first"), line("accepted", "--second")], {outages: load.outages, most: load.rate_max},
    );
    // Each nine has the same width, as in every HDR plot.
    const nines = ([percentile]) => Math.min(5.5, -Math.log10(1 - Math.min(percentile, 99.9997) / 100));
    const [responses, deliveries] = load.curves;
    if (!responses.length) return;
    const later = deliveries.length ? deliveries.map(([, value]) => value) : responses.map(() => null);
    draw(
      figure("curve"), [responses.map(nines), responses.map(([, value]) => value), later],
      [{label: "percentile"}, line("response", "--first"), line("delivery", "--second")],
      {
        y: {distr: 3},
        values: (self, splits) => splits.map((at) => (Number.isInteger(at) ? `${+(100 * (1 - 10 ** -at)).toFixed(at)} %` : "")),
      },
    );
  }

  function draw(canvas, data, series, {outages = [], y = {}, values, most = Infinity} = {}) {
    const axis = {stroke: () => color("--muted"), grid: {stroke: () => color("--line"), width: 1}, ticks: {stroke: () => color("--line")}};
    const made = new uPlot({
      width: Math.max(canvas.clientWidth, 260),
      height: 200,
      legend: {show: false},
      padding: [6, 20, 0, 0], // room for half of the last label
      scales: {x: {time: false}, y: y.distr ? y : {range: (self, low, high) => [0, Math.max(1, Math.min(high * 1.05, most))]}},
      axes: [values ? {...axis, size: 34, values} : {...axis, size: 34}, {...axis, size: 70, values: (self, splits) => splits.map((at) => at === null ? "" : at.toLocaleString("en"))}],
      series,
      hooks: {
        drawClear: [(self) => {
          self.ctx.fillStyle = color("--outage");
          for (const [from, to] of outages) {
            const left = self.valToPos(from, "x", true);
            self.ctx.fillRect(left, self.bbox.top, self.valToPos(to, "x", true) - left, self.bbox.height);
          }
        }],
      },
    }, data, canvas);
    addEventListener("resize", () => made.setSize({width: Math.max(canvas.clientWidth, 260), height: 200}));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => made.redraw());
  }
})();
