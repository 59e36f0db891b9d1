(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color, percent } = R;
  const histograms = R.data.histograms;
  let shown = 0;

  function drawHistogram() {
    const hist = histograms[shown];
    if (!hist) return R.idle("plot-hist", 200, "No return was different from zero.");
    const middles = hist.counts.map((count, i) => (hist.edges[i] + hist.edges[i + 1]) / 2);
    const half = (keep) => hist.counts.map((count, i) => (keep(middles[i]) ? count : null));
    const bars = uPlot.paths.bars({ size: [0.86, 60], align: 0 });
    const side = (tone) => ({ fill: () => color(tone), stroke: () => color(tone), width: 0, paths: bars, points: { show: false } });
    const label = (i) => percent(hist.edges[i]) + " … " + percent(hist.edges[i + 1]) + "  ";
    byId("hist-readout").textContent = hist.n.toLocaleString("en-US") + (hist.still ? " of " + (hist.n + hist.still).toLocaleString("en-US") + " moved" : " values") + ", mean " + percent(hist.mean) + ", VaR 95% " + percent(hist.var);
    const span = hist.edges[hist.edges.length - 1] - hist.edges[0];
    R.build("plot-hist", 210, {
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      hooks: {
        setCursor: [(u) => {
          const i = u.cursor.idx;
          if (i !== null && i !== undefined && u.cursor.left >= 0) byId("hist-readout").textContent = label(i) + hist.counts[i].toLocaleString("en-US") + " of " + hist.n.toLocaleString("en-US");
        }],
        draw: [(u) => { mark(u, hist.var, "VaR 95%"); mark(u, hist.mean, "mean"); }],
      },
      series: [{}, side("heat-good"), side("heat-bad")],
      scales: {
        x: { time: false, range: () => [hist.edges[0] - span * 0.02, hist.edges[hist.edges.length - 1] + span * 0.02] },
        y: { range: (u, min, max) => [0, Math.max(max || 1, 1) * 1.14] },
      },
      axes: [
        R.axis({ size: 24, gap: 4, space: 60, values: (u, splits) => splits.map((value) => percent(value, span < 0.02 ? 2 : 1)) }),
        R.valueAxis((value) => (Number.isInteger(value) ? R.compact(value) : "")),
      ],
    }, [middles, half((x) => x >= 0), half((x) => x < 0)]);
  }

  function mark(u, value, text) {
    const x = u.valToPos(value, "x", true);
    const ratio = devicePixelRatio || 1;
    u.ctx.save();
    u.ctx.strokeStyle = u.ctx.fillStyle = color("muted");
    u.ctx.setLineDash([3 * ratio, 3 * ratio]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, u.bbox.top);
    u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
    u.ctx.font = 10.5 * ratio + "px " + getComputedStyle(document.body).fontFamily;
    u.ctx.textBaseline = "top";
    u.ctx.textAlign = text === "mean" ? "left" : "right";
    u.ctx.fillText(text, x + (text === "mean" ? 4 : -4) * ratio, u.bbox.top);
    u.ctx.restore();
  }

  function drawScatter() {
    if (!byId("plot-scatter")) return;
    const { mae, ret, pnl, open, id } = R.data.trades.columns;
    const rows = id.map((value, i) => i).filter((i) => !open[i] && mae[i] !== null && ret[i] !== null);
    if (!rows.length || rows.every((i) => mae[i] === 0)) return R.idle("plot-scatter", 200, "No trade was ever under water.");
    rows.sort((a, b) => mae[b] - mae[a]);
    const depth = -mae[rows[rows.length - 1]];
    const reach = rows.reduce((most, i) => Math.max(most, Math.abs(ret[i])), 0);
    const dots = (tone) => ({ stroke: () => color(tone), paths: () => null, points: { show: true, size: 4, fill: () => color(tone), width: 0, stroke: () => color(tone) } });
    R.build("plot-scatter", 226, {
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      hooks: {
        drawAxes: [(u) => R.zeroLine(u)],
        setCursor: [(u) => {
          const i = u.cursor.idx;
          const box = byId("scatter-readout");
          if (i === null || i === undefined || u.cursor.left < 0) { box.textContent = ""; return; }
          const row = rows[i];
          box.textContent = "#" + id[row] + "  worst " + percent(mae[row]) + "  result " + percent(ret[row]) + "  " + R.number(pnl[row]);
        }],
      },
      series: [{}, dots("heat-good"), dots("heat-bad")],
      scales: { x: { time: false, range: (u, min, max) => [0, (max || 0.01) * 1.04] }, y: { range: (u, min, max) => [min - (max - min || 0.01) * 0.06, max + (max - min || 0.01) * 0.06] } },
      axes: [
        R.axis({ size: 24, gap: 4, space: 60, values: (u, splits) => splits.map((value) => (value === 0 ? "0%" : percent(-value, depth < 0.002 ? 2 : depth < 0.02 ? 1 : 0))) }),
        R.valueAxis((value) => percent(value, reach < 0.004 ? 2 : reach < 0.04 ? 1 : 0)),
      ],
    }, [rows.map((i) => -mae[i]), rows.map((i) => (pnl[i] > 0 ? ret[i] : null)), rows.map((i) => (pnl[i] > 0 ? null : ret[i]))]);
  }

  histograms.forEach(function (hist, i) {
    if (histograms.length < 2) return;
    const button = R.make("button", hist.name);
    button.type = "button";
    button.setAttribute("aria-pressed", String(i === 0));
    button.addEventListener("click", function () {
      shown = i;
      for (const other of byId("hist-tools").children) other.setAttribute("aria-pressed", String(other === button));
      drawHistogram();
    });
    byId("hist-tools").append(button);
  });

  function drawShapes() { drawHistogram(); drawScatter(); }
  drawShapes();
  R.onBreak(drawShapes);
})();
