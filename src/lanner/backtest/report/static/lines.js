(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color, percent } = R;
  const equity = R.data.equity;
  const phone = () => innerWidth <= 640;
  const GUTTER = () => (phone() ? 46 : 62);
  const plots = [];

  const TIME = [
    [31536000, "{YYYY}", null, null, null, null, null, null, 1],
    [2419200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [3600, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [1, ":{ss}", "\n{D} {MMM} {YYYY} {HH}:{mm}", null, "\n{D} {MMM} {HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
    [0.001, ":{ss}.{fff}", "\n{D} {MMM} {YYYY} {HH}:{mm}", null, "\n{D} {MMM} {HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
  ];

  function axis(extra) {
    return Object.assign({
      stroke: () => color("muted"),
      grid: { stroke: () => color("grid"), width: 1 },
      ticks: { show: false },
      font: "11px " + getComputedStyle(document.body).fontFamily,
      labelGap: 0,
    }, extra);
  }

  const timeAxis = (show) => axis({ values: show ? TIME : (u, splits) => splits.map(() => ""), size: show ? 34 : 6, show: true, gap: 4, space: phone() ? 56 : 74, });
  const valueAxis = (format) => axis({ size: GUTTER(), gap: 5, space: 30,
    values: (u, splits) => splits.map((value) => (value === null ? "" : format(value))) });

  function build(id, height, options, values) {
    const host = byId(id);
    if (!host) return null;
    host.replaceChildren();
    const plot = new uPlot(Object.assign({
      width: host.clientWidth, height, legend: { show: false }, padding: [8, 14, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    }, options), values, host);
    const entry = { id, plot, host };
    const old = plots.findIndex((other) => other.id === id);
    if (old >= 0) plots[old] = entry;
    else plots.push(entry);
    return plot;
  }

  function idle(id, height, text) {
    const host = byId(id);
    if (!host) return;
    host.style.height = height + "px";
    host.dataset.empty = text;
    host.classList.add("idle");
  }

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
  function range(u, min, max) {
    if (min === null || max === null) return [0, 1];
    if (min === max) { const pad = Math.abs(min) * 0.01 || 1; return [min - pad, max + pad]; }
    const pad = (max - min) * 0.06;
    return [min - pad, max + pad];
  }
  // Own bounds: the chart's own would run to whole powers of ten and flatten the line.
  const logRange = (u, min, max) => (min === max ? [min * 0.9, max * 1.1] : [min / 1.04, max * 1.04]);

  function logSplits(u, axisIndex, min, max) {
    const steps = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
    const all = [];
    for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++)
      for (const step of steps) { const at = step * Math.pow(10, power); if (at >= min && at <= max) all.push(at); }
    const wanted = 7;
    if (all.length <= wanted) return all;
    const whole = all.filter((at) => /^[125]0*$/.test(String(Number(at.toPrecision(6)))) || /^0\.0*[125]$/.test(String(Number(at.toPrecision(6)))));
    const pick = whole.length >= 3 ? whole : all;
    const every = Math.ceil(pick.length / wanted);
    return pick.filter((at, index) => index % every === 0);
  }

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

  function zeroLine(u) {
    const y = Math.round(u.valToPos(0, "y", true));
    u.ctx.save();
    u.ctx.strokeStyle = color("muted");
    u.ctx.lineWidth = 1;
    u.ctx.globalAlpha = 0.5;
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
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

  R.build = build;
  R.idle = idle;
  R.axis = axis;
  R.valueAxis = valueAxis;
  R.zeroLine = zeroLine;
  R.phone = phone;

  drawAll();
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
    for (const { id, plot } of plots) if (id === "plot-equity") plot.setSeries(2, { show: benchmark });
  });
  byId("reset").addEventListener("click", function () {
    for (const plot of family) plot.setScale("x", { min: equity.t[0], max: equity.t[equity.t.length - 1] });
    this.disabled = true;
  });
  R.onTheme(() => plots.forEach(({ plot }) => plot.redraw(false, true)));

  let width = innerWidth;
  let timer = 0;
  addEventListener("resize", function () {
    clearTimeout(timer);
    timer = setTimeout(function () {
      if (width <= 640 !== phone()) { drawAll(); if (R.drawShapes) R.drawShapes(); }
      width = innerWidth;
      for (const { plot, host } of plots) plot.setSize({ width: host.clientWidth, height: plot.height });
    }, 80);
  });
})();
