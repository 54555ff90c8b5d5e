// The trends of latency, lag and outbox, from the API; drawn anew every half minute and when the window changes its size.
"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seconds = (v) => `${v.toFixed(3)} s`;
  const TRENDS = [
    { id: "trend", rows: "minutes", height: 260, least: 0.1, tick: (v) => `${v} s`, value: seconds,
      lines: [["p50_s", "textP50", "--normal"], ["p95_s", "textP95", "--act", [8, 4]], ["p99_s", "textP99", "--fault", [2, 4]]] },
    { id: "trend-records", rows: "backlogs", height: 160, least: 10, tick: String, value: String, lines: [["records", "textRecords", "--act"]] },
    { id: "trend-seconds", rows: "backlogs", height: 160, least: 1, tick: (v) => `${v} s`, value: seconds, lines: [["seconds", "textSeconds", "--act"]] },
    { id: "trend-outbox", rows: "backlogs", height: 160, least: 10, tick: String, value: String, lines: [["outbox", "textOutbox", "--act"]] },
  ].map((trend) => ({ ...trend, place: document.getElementById(trend.id), plot: null }));

  function options({ place, height, least, tick, value, lines }) {
    const words = place.dataset;
    const axis = { stroke: colour("--text"), grid: { stroke: colour("--line"), width: 1 } };
    const line = ([, label, name, dash]) => ({ label: words[label], stroke: colour(name), width: 2, dash, value: (_, v) => (v == null ? "–" : value(v)) });
    return {
      width: place.clientWidth || 600,
      height,
      scales: { y: { range: (_, low, high) => [0, Math.max(least, high * 1.1)] } },
      axes: [axis, { ...axis, values: (_, ticks) => ticks.map(tick), size: 70 }],
      series: [{ label: words.textTime }, ...lines.map(line)],
    };
  }

  async function draw() {
    const answer = await fetch("/api/v1/system", { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const view = await answer.json();
    for (const trend of TRENDS) {
      const rows = view[trend.rows];
      const data = [rows.map((row) => Date.parse(row.at) / 1000), ...trend.lines.map(([name]) => rows.map((row) => row[name]))];
      if (trend.plot) trend.plot.setData(data);
      else trend.plot = new uPlot(options(trend), data, trend.place);
    }
  }

  draw();
  setInterval(draw, 30000);
  addEventListener("resize", () => TRENDS.forEach(({ plot, place, height }) => plot && plot.setSize({ width: place.clientWidth, height })));
})();
