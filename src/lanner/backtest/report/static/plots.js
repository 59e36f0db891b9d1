(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color } = R;
  const phone = () => innerWidth <= 640;
  const GUTTER = () => (phone() ? 46 : 62);
  const plots = [];
  const redraws = [];

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

  Object.assign(R, { build, idle, axis, timeAxis, valueAxis, zeroLine, phone, range, logRange, logSplits });
  R.chart = (id) => { const found = plots.find((entry) => entry.id === id); return found ? found.plot : null; };
  // What depends on the screen being a phone's is drawn anew when it becomes or ceases to be one.
  R.onBreak = (draw) => redraws.push(draw);

  R.onTheme(() => plots.forEach(({ plot }) => plot.redraw(false, true)));

  let width = innerWidth;
  let timer = 0;
  addEventListener("resize", function () {
    clearTimeout(timer);
    timer = setTimeout(function () {
      if (width <= 640 !== phone()) for (const draw of redraws) draw();
      width = innerWidth;
      for (const { plot, host } of plots) plot.setSize({ width: host.clientWidth, height: plot.height });
    }, 80);
  });
})();
