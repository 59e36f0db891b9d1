(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color, percent, build, idle, timeAxis, valueAxis, zeroLine, range, logRange, logSplits, phone } = R;
  const equity = R.data.equity;
  // The charts of one time axis zoom together.
  let moving = false;
  const family = new Set();
  function follow(u, key) {
    if (key !== "x" || moving || !family.has(u)) return;
    moving = true;
    const { min, max } = u.scales.x;
    for (const other of family) if (other !== u) other.setScale("x", { min, max });
    moving = false;
    const whole = min <= equity.t[0] && max >= equity.t[equity.t.length - 1];
    byId("reset").disabled = whole;
  }

  function readout(u) {
    const box = byId("equity-readout");
    const i = u.cursor.idx === null || u.cursor.idx === undefined ? equity.t.length - 1 : u.cursor.idx;
    box.replaceChildren();
    const add = (label, value) => { box.append(label + " "); box.append(R.make("b", value)); box.append("  "); };
    box.append(R.stamp(equity.t[i] * 1000) + "  ");
    add("equity", R.number(equity.v[i]));
    if (equity.b && equity.b[i] !== null) add("benchmark", R.number(equity.b[i]));
    add("drawdown", percent(equity.d[i]));
    add("exposure", percent(equity.x[i], 0));
  }

  const shared = { sync: { key: "time", setSeries: false }, drag: { x: true, y: false, dist: 6 }, y: false,
    points: { size: 6 } };
  const hooks = { setScale: [follow], setCursor: [readout] };

  let logScale = false;
  let benchmark = true;
  function drawEquity() {
    const positive = equity.v.every((value) => value > 0) && (!equity.b || equity.b.every((value) => value === null || value > 0));
    byId("log").disabled = !positive;
    const values = [equity.t, equity.v];
    const series = [{}, { stroke: () => color("accent"), width: 1.6, fill: logScale ? undefined : () => color("accent-soft"), fillTo: (u) => u.scales.y.min, points: { show: false } }];
    if (equity.b) {
      values.push(equity.b);
      series.push({ stroke: () => color("other"), width: 1.1, show: benchmark, points: { show: false } });
    }
    for (const old of family) if (old.root.parentNode === byId("plot-equity") || !old.root.isConnected) family.delete(old);
    const plot = build("plot-equity", phone() ? 220 : 290, {
      cursor: shared, hooks, series,
      scales: { x: { time: true }, y: logScale ? { distr: 3, range: logRange } : { range } },
      axes: [timeAxis(false), Object.assign(valueAxis(R.compact), logScale ? { splits: logSplits, filter: (u, splits) => splits } : {})],
    }, values);
    family.add(plot);
    readout(plot);
  }

  function drawBelow() {
    const lowest = equity.d.reduce((low, value) => Math.min(low, value), 0);
    family.add(build("plot-drawdown", phone() ? 90 : 110, {
      cursor: shared, hooks,
      series: [{}, { stroke: () => color("bad"), width: 1, fill: () => color("bad-soft"), fillTo: 0, points: { show: false } }],
      scales: { x: { time: true }, y: { range: (u, min) => [Math.min(min || 0, -0.001) * 1.08, 0] } },
      axes: [timeAxis(false), valueAxis((value) => percent(value, lowest > -0.02 ? 1 : 0))],
    }, [equity.t, equity.d]));
    family.add(build("plot-exposure", phone() ? 96 : 104, {
      cursor: shared, hooks,
      series: [{}, { stroke: () => color("other"), width: 0.6, fill: () => color("grid"), paths: uPlot.paths.stepped({ align: -1 }), points: { show: false } }],
      scales: { x: { time: true }, y: { range: (u, min, max) => [Math.min(0, min || 0), Math.max(max || 0, 0.01) * 1.08] } },
      axes: [timeAxis(true), valueAxis((value) => percent(value, 0))],
    }, [equity.t, equity.x]));
  }

  function drawRolling() {
    const rolling = R.data.rolling;
    byId("rolling-name").textContent = rolling.window + (rolling.unit === "day" ? " days" : " samples") + ", annualised";
    if (rolling.t.length < 2) return idle("plot-rolling", 200, "The run is too short for a rolling window.");
    build("plot-rolling", 210, {
      cursor: { y: false, drag: { x: false, y: false } },
      hooks: {
        setCursor: [(u) => {
          const i = u.cursor.idx;
          byId("rolling-readout").textContent = i === null || i === undefined ? "" : R.stamp(rolling.t[i] * 1000).slice(0, 10) + "  " + R.number(rolling.v[i]);
        }],
        drawAxes: [(u) => zeroLine(u)],
      },
      series: [{}, { stroke: () => color("accent"), width: 1.4, points: { show: false }, fill: () => color("accent-soft"), fillTo: 0 }],
      scales: { x: { time: true }, y: { range: (u, min, max) => range(u, Math.min(0, min), Math.max(0, max)) } },
      axes: [timeAxis(true), valueAxis((value) => R.compact(value))],
    }, [rolling.t, rolling.v]);
  }

  function drawAll() {
    family.clear();
    if (equity.t.length < 2) {
      idle("plot-equity", 120, "The run has no equity curve.");
      byId("log").disabled = byId("bench").disabled = true;
    } else {
      drawEquity();
      drawBelow();
    }
    drawRolling();
  }

  drawAll();
  R.onBreak(drawAll);
  if (byId("kept")) byId("kept").textContent = equity.kept.toLocaleString("en-US");
  byId("bench").hidden = !equity.b;
  byId("log").addEventListener("click", function () {
    logScale = !logScale;
    this.setAttribute("aria-pressed", String(logScale));
    drawEquity();
    byId("reset").click();
  });
  byId("bench").addEventListener("click", function () {
    benchmark = !benchmark;
    this.setAttribute("aria-pressed", String(benchmark));
    R.chart("plot-equity").setSeries(2, { show: benchmark });
  });
  byId("reset").addEventListener("click", function () {
    for (const plot of family) plot.setScale("x", { min: equity.t[0], max: equity.t[equity.t.length - 1] });
    this.disabled = true;
  });
})();
