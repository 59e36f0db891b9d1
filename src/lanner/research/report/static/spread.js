(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color, build, idle, valueAxis, range, phone } = R;
  const { histogram: hist, sample, axes, objective, top } = R.data;

  function drawScores() {
    if (!byId("plot-scores")) return;
    if (!hist) return idle("plot-scores", 160, "No variant has a score.");
    const marks = [[hist.best, "best", "peak"], [hist.luck, "best of luck", "bad"], [hist.median, "median", "muted"]].filter(([value]) => value !== null);
    const middles = hist.counts.map((count, i) => (hist.edges[i] + hist.edges[i + 1]) / 2);
    const first = Math.min(hist.edges[0], ...marks.map(([value]) => value));
    const last = Math.max(hist.edges[hist.edges.length - 1], ...marks.map(([value]) => value));
    const pad = (last - first) * 0.03 || 1;
    const read = (u) => {
      const i = u && u.cursor.left >= 0 ? u.cursor.idx : null;
      if (i === null || i === undefined) R.tell("scores-readout", [["", hist.n.toLocaleString("en-US")], [hist.whole ? "scores" : "scores, a sample"]]);
      else R.tell("scores-readout", [[R.score(hist.edges[i]) + " … " + R.score(hist.edges[i + 1])], ["", hist.counts[i].toLocaleString("en-US")]]);
    };
    const reach = Math.max(Math.abs(first), Math.abs(last));
    read(build("plot-scores", phone() ? 170 : 180, {
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      hooks: { setCursor: [read], draw: [(u) => drawMarks(u, marks)] },
      series: [{}, { fill: () => color("div-p1"), stroke: () => color("div-p1"), width: 0, paths: uPlot.paths.bars({ size: [0.88, 60] }), points: { show: false } }],
      scales: { x: { time: false, range: () => [first - pad, last + pad] }, y: { range: (u, min, max) => [0, Math.max(max || 1, 1) * 1.3] } },
      axes: [
        R.axis({ size: 24, gap: 4, space: 60, values: (u, splits) => splits.map((value) => (objective.fraction ? R.percent(value, reach < 0.02 ? 2 : reach < 0.2 ? 1 : 0) : R.compact(Number(value.toPrecision(4))))) }),
        valueAxis((value) => (Number.isInteger(value) ? R.compact(value) : "")),
      ],
    }, [middles, hist.counts]));
    byId("scores-note").textContent = hist.luck === null ? "" : hist.best > hist.luck
      ? "The best is above what the luckiest of as many trials without skill would reach."
      : "The best is no better than the luckiest of as many trials without skill.";
  }

  function drawMarks(u, marks) {
    const ratio = devicePixelRatio || 1;
    const c = u.ctx;
    c.save();
    c.font = 10.5 * ratio + "px " + getComputedStyle(document.body).fontFamily;
    c.textBaseline = "top";
    marks.forEach(function ([value, text, tone], row) {
      const x = Math.round(u.valToPos(value, "x", true));
      const y = u.bbox.top + row * 13 * ratio;
      c.strokeStyle = c.fillStyle = color(tone);
      c.setLineDash(text === "best" ? [] : [3 * ratio, 3 * ratio]);
      c.lineWidth = 1.3 * ratio;
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(x, u.bbox.top + u.bbox.height);
      c.stroke();
      const right = x + c.measureText(text).width + 8 * ratio < u.bbox.left + u.bbox.width;
      c.textAlign = right ? "left" : "right";
      const wide = c.measureText(text).width;
      c.fillStyle = color("card");
      c.fillRect(right ? x + 2 * ratio : x - wide - 6 * ratio, y - 1 * ratio, wide + 4 * ratio, 12 * ratio);
      c.fillStyle = color(tone);
      c.fillText(text, x + (right ? 4 : -4) * ratio, y);
    });
    c.restore();
  }

  // A single parameter has no pair for a heat map: the score is a curve over it.
  function drawSingle() {
    if (!byId("plot-single")) return;
    if (!axes.length) return idle("plot-single", 200, "No parameter was searched.");
    const found = new Map();
    sample.params[0].forEach(function (value, i) {
      const score = sample.score[i];
      if (value !== null && score !== null && (!found.has(value) || found.get(value) < score)) found.set(value, score);
    });
    const xs = [...found.keys()].sort((a, b) => a - b);
    if (!xs.length) return idle("plot-single", 200, "No variant has a score.");
    const ys = xs.map((x) => found.get(x));
    const words = axes[0].texts;
    const best = top.params[0][0];
    const read = (u) => {
      let i = u && u.cursor.left >= 0 ? u.cursor.idx : null;
      if (i === null || i === undefined) i = Math.max(0, xs.indexOf(best));
      R.tell("single-readout", [[axes[0].name, R.param(0, xs[i])], [objective.label, R.score(ys[i])]]);
    };
    const pad = (xs[xs.length - 1] - xs[0]) * 0.03 || 0.5;
    read(build("plot-single", phone() ? 240 : 340, {
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
      hooks: {
        setCursor: [read],
        drawAxes: [(u) => R.zeroLine(u)],
        draw: [(u) => {
          if (!found.has(best)) return;
          const ratio = devicePixelRatio || 1;
          u.ctx.save();
          u.ctx.strokeStyle = color("peak");
          u.ctx.lineWidth = 1.6 * ratio;
          u.ctx.beginPath();
          u.ctx.arc(u.valToPos(best, "x", true), u.valToPos(found.get(best), "y", true), 6 * ratio, 0, 7);
          u.ctx.stroke();
          u.ctx.restore();
        }],
      },
      series: [{}, words
        ? { stroke: () => color("div-p1"), fill: () => color("div-p1"), width: 0, paths: uPlot.paths.bars({ size: [0.6, 80] }), points: { show: false } }
        : { stroke: () => color("accent"), width: 1.6, points: { show: xs.length <= 120, size: 5, fill: () => color("accent") } }],
      scales: { x: { time: false, range: () => (words ? [-0.6, words.length - 0.4] : [xs[0] - pad, xs[xs.length - 1] + pad]) }, y: { range: (u, min, max) => range(u, words ? Math.min(0, min) : min, words ? Math.max(0, max) : max) } },
      axes: [
        R.axis(words
          ? { size: 24, gap: 4, space: 50, incrs: [1, 2, 5, 10], values: (u, splits) => splits.map((value) => (words[value] || "").slice(0, 14)) }
          : { size: 24, gap: 4, space: 50, values: (u, splits) => splits.map(R.plain) }),
        valueAxis(R.tick),
      ],
    }, [xs, ys]));
  }

  drawScores();
  drawSingle();
  R.onBreak(() => { drawScores(); drawSingle(); });
})();
