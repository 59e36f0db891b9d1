(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color, build, idle, timeAxis, valueAxis, range, logRange, logSplits, phone } = R;
  const { best, forward, objective } = R.data;

  function tell(id, parts) {
    const box = byId(id);
    box.replaceChildren();
    for (const [label, value] of parts) {
      if (label) box.append(label + " ");
      box.append(value === undefined ? "" : R.make("b", value), "  ");
    }
  }

  let logScale = false;
  let bench = true;
  function drawBest() {
    if (!best) return idle("plot-best", 140, "The sweep kept no curve of the best variant.");
    const positive = best.v.every((value) => value > 0) && (!best.b || best.b.every((value) => value === null || value > 0));
    byId("best-log").disabled = !positive;
    const values = [best.t, best.v];
    const series = [{}, { stroke: () => color("accent"), width: 1.6, fill: logScale ? undefined : () => color("accent-soft"), fillTo: (u) => u.scales.y.min, points: { show: false } }];
    if (best.b) {
      values.push(best.b);
      series.push({ stroke: () => color("other"), width: 1.1, show: bench, points: { show: false } });
    }
    const read = (u) => {
      const i = u.cursor.idx === null || u.cursor.idx === undefined ? best.t.length - 1 : u.cursor.idx;
      const parts = [[R.stamp(best.t[i] * 1000)], ["equity", R.number(best.v[i])]];
      if (best.b && best.b[i] !== null) parts.push(["buy and hold", R.number(best.b[i])]);
      tell("best-readout", parts);
    };
    const plot = build("plot-best", phone() ? 210 : 260, {
      cursor: { drag: { x: true, y: false, dist: 6 }, y: false, points: { size: 6 } },
      hooks: {
        setCursor: [read],
        setScale: [(u, key) => { if (key === "x") byId("best-reset").disabled = u.scales.x.min <= best.t[0] && u.scales.x.max >= best.t[best.t.length - 1]; }],
      },
      series,
      scales: { x: { time: true }, y: logScale ? { distr: 3, range: logRange } : { range } },
      axes: [timeAxis(true), Object.assign(valueAxis(R.compact), logScale ? { splits: logSplits, filter: (u, splits) => splits } : {})],
    }, values);
    read(plot);
  }

  function drawForward() {
    if (!forward) return;
    const curve = forward.curve;
    if (!curve) idle("plot-forward", 200, "The walk-forward kept no equity.");
    else {
      const starts = forward.starts.filter((start) => start > curve.t[0]);
      const read = (u) => {
        const i = u.cursor.idx === null || u.cursor.idx === undefined ? curve.t.length - 1 : u.cursor.idx;
        const change = curve.v[0] ? curve.v[i] / curve.v[0] - 1 : null;
        tell("forward-readout", [[R.stamp(curve.t[i] * 1000).slice(0, 10)], ["equity", R.number(curve.v[i])], ["", R.signed(R.percent(change), change)]]);
      };
      read(build("plot-forward", phone() ? 190 : 220, {
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
        hooks: {
          setCursor: [read],
          drawAxes: [(u) => {
            u.ctx.save();
            u.ctx.strokeStyle = color("line");
            u.ctx.setLineDash([3, 3]);
            u.ctx.beginPath();
            for (const start of starts) { const x = Math.round(u.valToPos(start, "x", true)); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); }
            u.ctx.stroke();
            u.ctx.restore();
          }],
        },
        series: [{}, { stroke: () => color("accent"), width: 1.6, fill: () => color("accent-soft"), fillTo: (u) => u.scales.y.min, points: { show: false } }],
        scales: { x: { time: true }, y: { range } },
        axes: [timeAxis(true), valueAxis(R.compact)],
      }, [curve.t, curve.v]));
    }
    drawWindows();
  }

  function drawWindows() {
    const count = forward.train.length;
    const known = [...forward.train, ...forward.test].filter((value) => value !== null);
    if (!known.length) return idle("plot-windows", 200, "No window has a score.");
    const numbers = forward.train.map((value, i) => i + 1);
    const bar = (tone, align) => ({ stroke: () => color(tone), fill: () => color(tone), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.36, 34], align, gap: 0 }) });
    const read = (u) => {
      const i = u.cursor.idx;
      if (i === null || i === undefined || u.cursor.left < 0) {
        const mean = (values) => { const all = values.filter((value) => value !== null); return all.length ? all.reduce((a, b) => a + b, 0) / all.length : null; };
        tell("windows-readout", [["mean train", R.score(mean(forward.train))], ["test", R.score(mean(forward.test))]]);
      } else tell("windows-readout", [["window", String(i + 1)], ["train", R.score(forward.train[i])], ["test", R.score(forward.test[i])]]);
    };
    read(build("plot-windows", phone() ? 180 : 200, {
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      hooks: { setCursor: [read], drawAxes: [(u) => R.zeroLine(u)] },
      series: [{}, bar("other", -1), bar("accent", 1)],
      scales: { x: { time: false, range: () => [0.4, count + 0.6] }, y: { range: (u, min, max) => range(u, Math.min(0, min), Math.max(0, max)) } },
      axes: [R.axis({ size: 24, gap: 4, space: 28, incrs: [1, 2, 5, 10, 20, 50, 100], values: (u, splits) => splits.map((value) => (value >= 1 && value <= count ? String(value) : "")) }), valueAxis(R.tick)],
    }, [numbers, forward.train, forward.test]));
  }

  R.tell = tell;
  drawBest();
  drawForward();
  R.onBreak(() => { drawBest(); drawForward(); });
  byId("best-bench").hidden = !(best && best.b);
  if (!best) byId("best-log").disabled = true;
  byId("best-log").addEventListener("click", function () {
    logScale = !logScale;
    this.setAttribute("aria-pressed", String(logScale));
    drawBest();
    byId("best-reset").disabled = true;
  });
  byId("best-bench").addEventListener("click", function () {
    bench = !bench;
    this.setAttribute("aria-pressed", String(bench));
    R.chart("plot-best").setSeries(2, { show: bench });
  });
  byId("best-reset").addEventListener("click", () => R.chart("plot-best").setScale("x", { min: best.t[0], max: best.t[best.t.length - 1] }));
})();
