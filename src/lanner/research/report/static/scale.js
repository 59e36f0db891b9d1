(function () {
  "use strict";
  const R = window.LannerReport;
  const { objective, axes } = R.data;

  function score(value) {
    if (value === null || value === undefined || !isFinite(value)) return "–";
    if (objective.fraction) return R.percent(value);
    const size = Math.abs(value);
    return size > 0 && size < 0.001 ? R.number(Number(value.toPrecision(3))) : R.number(value, size < 100 ? 3 : size < 1e4 ? 1 : 0);
  }

  // On an axis there is room for fewer digits than in a table.
  const tick = (value) => (objective.fraction ? R.percent(value, Math.abs(value) < 0.02 ? 2 : Math.abs(value) < 0.1 ? 1 : 0) : R.compact(Number(value.toPrecision(4))));

  const plain = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(6))).replace("-", "−"));
  const param = (axis, value) => (axes[axis].texts ? axes[axis].texts[value] : plain(value));

  function parse(text) {
    const found = text.match(/[\d.]+/g).map(Number);
    return text.startsWith("color(") ? found.slice(0, 3).map((part) => part * 255) : found.slice(0, 3);
  }

  let table = null;
  // Blue above, orange below the neutral score: told apart with every kind of colour vision.
  function ramp() {
    const stops = ["div-n2", "div-n1", "div-0", "div-p1", "div-p2"].map((name) => parse(R.color(name)));
    table = [];
    for (let i = 0; i <= 200; i++) {
      const at = (i / 200) * 4;
      const low = Math.min(3, Math.floor(at));
      table.push(stops[low].map((part, k) => Math.round(part + (stops[low + 1][k] - part) * (at - low))));
    }
  }
  R.onTheme(() => { table = null; });

  function shade(position) {
    if (!table) ramp();
    return table[Math.round((Math.max(-1, Math.min(1, position)) + 1) * 100)];
  }

  const paint = (position, alpha) => { const [r, g, b] = shade(position); return alpha === undefined ? `rgb(${r},${g},${b})` : `rgba(${r},${g},${b},${alpha})`; };
  const dark = (position) => { const [r, g, b] = shade(position); return 0.299 * r + 0.587 * g + 0.114 * b < 140; };

  const quantile = (sorted, q) => sorted[Math.round((sorted.length - 1) * q)];

  // Differences show most among the strong scores, where they are looked for: magnitudes are bent by a power.
  // The colours reach full strength at the 98th percentile: one wild score does not bleach all others.
  function scaleOf(values, around) {
    const known = values.filter((value) => value !== null && isFinite(value)).sort((a, b) => a - b);
    if (!known.length) return { center: 0, full: 1, low: 0, high: 0, at: () => 0 };
    const neutral = objective.neutral;
    const center = around && neutral !== null ? neutral : quantile(known, 0.5);
    const far = known.map((value) => Math.abs(value - center)).sort((a, b) => a - b);
    const full = quantile(far, 0.98) || far[far.length - 1] || 1;
    return { center, full, low: known[0], high: known[known.length - 1], at: (value) => Math.sign(value - center) * Math.pow(Math.abs(value - center) / full, 1.4) };
  }

  // A canvas with as many pixels as the screen has, in CSS units; what was there is gone.
  function fit(canvas, width, height) {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = height + "px";
    const c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = "11px " + getComputedStyle(document.body).fontFamily;
    return c;
  }

  function clipped(c, text, width) {
    if (c.measureText(text).width <= width) return text;
    let cut = text;
    while (cut.length > 1 && c.measureText(cut + "…").width > width) cut = cut.slice(0, -1);
    return cut + "…";
  }

  function onResize(draw) {
    let timer = 0;
    addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(draw, 90); });
    R.onTheme(draw);
  }

  const chosen = [];
  Object.assign(R, {
    score, tick, plain, param, paint, dark, scaleOf, fit, clipped, onResize, quantile,
    // A row of the table, shown by every chart that can.
    onChoose: (listener) => chosen.push(listener),
    choose: (row) => chosen.forEach((listener) => listener(row)),
  });
})();
