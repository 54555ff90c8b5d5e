// The trend of the latency, from the API; drawn anew every half minute and when the window changes its size.
"use strict";
(() => {
  const place = document.getElementById("trend");
  const words = place.dataset;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let plot = null;

  function options() {
    const axis = { stroke: colour("--text"), grid: { stroke: colour("--line"), width: 1 } };
    const line = (label, name, dash) => ({ label, stroke: colour(name), width: 2, dash, value: (_, v) => (v == null ? "–" : `${v.toFixed(3)} s`) });
    return {
      width: place.clientWidth || 600,
      height: 260,
      scales: { y: { range: (_, low, high) => [0, Math.max(0.1, high * 1.1)] } },
      axes: [axis, { ...axis, values: (_, ticks) => ticks.map((v) => `${v} s`), size: 70 }],
      series: [{ label: words.textTime }, line(words.textP50, "--normal"), line(words.textP95, "--act", [8, 4]), line(words.textP99, "--fault", [2, 4])],
    };
  }

  async function draw() {
    const answer = await fetch("/api/v1/system", { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer || !answer.ok) return;
    const minutes = (await answer.json()).minutes;
    const data = [minutes.map((m) => Date.parse(m.at) / 1000), ...["p50_s", "p95_s", "p99_s"].map((name) => minutes.map((m) => m[name]))];
    if (plot) plot.setData(data);
    else plot = new uPlot(options(), data, place);
  }

  draw();
  setInterval(draw, 30000);
  addEventListener("resize", () => plot && plot.setSize({ width: place.clientWidth, height: 260 }));
})();
