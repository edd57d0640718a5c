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
        isLog: true,
        values: (self, splits) => splits.map((at) => (Number.isInteger(at) ? String(+(100 * (1 - 10 ** -at)).toFixed(at)) : "")),
      },
    );
  }

  // On a logarithmic scale only the powers of ten, since lines between them are a grey block.
  function decades(self, splits) {
    return splits.map((at) => (Number.isInteger(Math.round(Math.log10(at) * 1e6) / 1e6) ? at : null));
  }

  function draw(canvas, data, series, {outages = [], isLog = false, values, most = Infinity} = {}) {
    const axis = {stroke: () => color("--muted"), grid: {stroke: () => color("--line"), width: 1}, ticks: {stroke: () => color("--line")}};
    const made = new uPlot({
      width: Math.max(canvas.clientWidth, 260),
      height: 200,
      legend: {show: false},
      padding: [6, 20, 0, 0], // room for half of the last label
      scales: {x: {time: false, range: (self, low, high) => [Math.min(low, 0), high]}, y: isLog ? {distr: 3} : {range: (self, low, high) => [0, Math.max(1, Math.min(high * 1.05, most))]}},
      axes: [
        values ? {...axis, size: 34, space: 46, values} : {...axis, size: 34},
        {
          ...axis,
          ...(isLog ? {filter: decades, grid: {...axis.grid, filter: decades}, ticks: {...axis.ticks, filter: decades}} : {}),
          size: 70, values: (self, splits) => splits.map((at) => at === null ? "" : at.toLocaleString("en")),
        },
      ],
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
