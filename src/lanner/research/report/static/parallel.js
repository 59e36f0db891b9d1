(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color } = R;
  const { sample, axes, objective, top } = R.data;
  if (!byId("parallel")) return;
  const canvas = byId("parallel").querySelector("canvas");
  const order = sample.score.map((score, i) => i).filter((i) => sample.score[i] !== null).sort((a, b) => sample.score[a] - sample.score[b]);
  const scale = R.scaleOf(sample.score, true);
  const last = axes.length;
  // The neutral colour of an area would not be seen as a thin line.
  const tint = (score) => { const at = scale.at(score); return Math.abs(at) < 0.3 ? (at < 0 ? -0.3 : 0.3) : at; };

  // One axis per parameter and the score at the end; `at` maps a value to 0 … 1 from the bottom.
  const scales = [...axes.map(function (axis, k) {
    if (axis.texts) {
      const count = axis.texts.length;
      return { name: axis.name, words: axis.texts, low: 0, high: count - 1, values: sample.params[k], at: (v) => (v === null ? null : count > 1 ? 0.04 + (0.92 * v) / (count - 1) : 0.5), show: (v) => axis.texts[Math.max(0, Math.min(count - 1, Math.round(v)))] };
    }
    return linear(axis.name, sample.params[k], R.plain);
  }), linear(objective.label, sample.score, R.score)];

  function linear(name, values, show) {
    const known = values.filter((value) => value !== null);
    const low = known.length ? known.reduce((a, b) => Math.min(a, b)) : 0;
    const high = known.length ? known.reduce((a, b) => Math.max(a, b)) : 1;
    return { name, low, high, values, show, at: (v) => (v === null ? null : high > low ? (v - low) / (high - low) : 0.5) };
  }

  // Lines through few values would lie on top of each other: each axis spreads its own a little, always the same way.
  const spread = scales.map((one) => {
    const count = new Set(one.values).size;
    return count > 60 ? 0 : Math.min(0.035, 0.36 / Math.max(1, count));
  });
  const shift = (i, k) => ((Math.imul(i + 1, 2654435761) ^ Math.imul(k + 7, 40503)) >>> 8) / 16777216 - 0.5;
  const drawn = (one, k, i) => { const at = one.at(one.values[i]); return at === null ? null : Math.max(0, Math.min(1, at + 2 * spread[k] * shift(i, k))); };

  const brushes = scales.map(() => null);
  const state = { axis: -1, drag: null, hover: -1, row: 0, box: null };

  const passes = (i) => scales.every(function (one, k) {
    const brush = brushes[k];
    if (!brush) return true;
    const at = one.at(one.values[i]);
    return at !== null && at >= brush[0] - 1e-9 && at <= brush[1] + 1e-9;
  });

  function geometry() {
    const width = byId("parallel").clientWidth;
    const height = R.phone() ? 300 : 340;
    const side = R.phone() ? 26 : 46;
    const X = (k) => side + (k * (width - 2 * side)) / (scales.length - 1);
    return { width, height, above: 40, below: 16, X, Y: (at) => height - 16 - at * (height - 56) };
  }

  function path(c, box, i) {
    let pen = false;
    scales.forEach(function (one, k) {
      const at = drawn(one, k, i);
      if (at === null) { pen = false; return; }
      if (pen) c.lineTo(box.X(k), box.Y(at));
      else c.moveTo(box.X(k), box.Y(at));
      pen = true;
    });
  }

  // What the lines look like without pointer is kept, so that moving it redraws two lines and not two thousand.
  let kept = document.createElement("canvas");
  function draw() {
    const box = (state.box = geometry());
    const c = R.fit(canvas, box.width, box.height);
    const some = brushes.some(Boolean);
    const alive = some ? order.filter(passes) : order;
    if (some) {
      c.strokeStyle = color("line");
      c.globalAlpha = order.length > 600 ? 0.25 : 0.5;
      c.lineWidth = 1;
      c.beginPath();
      const keep = new Set(alive);
      for (const i of order) if (!keep.has(i)) path(c, box, i);
      c.stroke();
      c.globalAlpha = 1;
    }
    const alpha = Math.max(0.16, Math.min(0.9, 160 / (alive.length + 1)));
    const strong = alive.length - Math.max(1, Math.round(alive.length * 0.02));
    alive.forEach(function (i, place) {
      c.strokeStyle = R.paint(tint(sample.score[i]), place >= strong ? Math.max(alpha, 0.85) : alpha);
      c.lineWidth = place >= strong ? 1.5 : 1;
      c.beginPath();
      path(c, box, i);
      c.stroke();
    });
    drawAxes(c, box);
    kept = document.createElement("canvas");
    kept.width = canvas.width;
    kept.height = canvas.height;
    kept.getContext("2d").drawImage(canvas, 0, 0);
    byId("lines-clear").disabled = !some;
    count(alive);
    over();
  }

  function drawAxes(c, box) {
    scales.forEach(function (one, k) {
      const x = Math.round(box.X(k)) + 0.5;
      const room = (box.width / scales.length) * 0.94;
      c.strokeStyle = color("muted");
      c.lineWidth = 1;
      c.beginPath();
      c.moveTo(x, box.Y(1));
      c.lineTo(x, box.Y(0));
      c.stroke();
      const align = k === 0 ? "left" : k === last ? "right" : "center";
      const spot = k === 0 ? Math.max(2, x - 20) : k === last ? Math.min(box.width - 2, x + 20) : x;
      c.textAlign = align;
      c.textBaseline = "middle";
      c.fillStyle = color(k === state.axis ? "accent" : "text");
      c.font = "600 11px " + getComputedStyle(document.body).fontFamily;
      c.fillText(R.clipped(c, one.name, room), spot, 9);
      c.font = "11px " + getComputedStyle(document.body).fontFamily;
      const label = (text, y) => plate(c, R.clipped(c, text, room), spot, y);
      if (one.words) {
        const every = Math.max(1, Math.ceil(one.words.length / 14));
        one.words.forEach((text, i) => { if (i % every === 0) plate(c, R.clipped(c, text, room * 0.8), k === last ? x - 6 : x + 6, box.Y(one.at(i)), k === last ? "right" : "left"); });
      } else {
        label(one.show(one.high), box.Y(1) - 12);
        label(one.show(one.low), box.Y(0) + 9);
      }
      const brush = brushes[k];
      if (brush) {
        c.fillStyle = color("accent-soft");
        c.strokeStyle = color("accent");
        c.lineWidth = 1.5;
        const y = box.Y(brush[1]);
        const tall = Math.max(3, box.Y(brush[0]) - y);
        c.fillRect(x - 8, y, 16, tall);
        c.strokeRect(x - 8, y, 16, tall);
      }
    });
  }

  function plate(c, text, x, y, align) {
    c.save();
    if (align) c.textAlign = align;
    const width = c.measureText(text).width;
    const left = c.textAlign === "left" ? x : c.textAlign === "right" ? x - width : x - width / 2;
    c.globalAlpha = 0.82;
    c.fillStyle = color("card");
    c.fillRect(left - 2, y - 7, width + 4, 14);
    c.globalAlpha = 1;
    c.fillStyle = color("muted");
    c.fillText(text, x, y);
    c.restore();
  }

  function over() {
    const box = state.box;
    const c = canvas.getContext("2d");
    c.save();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.drawImage(kept, 0, 0);
    c.restore();
    const line = (i, tone, wide) => {
      for (const [style, size] of [[color("card"), wide + 2.5], [tone, wide]]) {
        c.strokeStyle = style;
        c.lineWidth = size;
        c.beginPath();
        path(c, box, i);
        c.stroke();
      }
    };
    const chosen = state.row >= 0 ? find(state.row) : -1;
    if (chosen >= 0 && passes(chosen)) line(chosen, color("peak"), 2);
    if (state.hover >= 0) line(state.hover, color("accent"), 2.2);
  }

  // The sample begins with the variants of the table in their order.
  const find = (row) => (row < top.rank.length && row < sample.score.length && axes.every((axis, k) => sample.params[k][row] === top.params[k][row]) ? row : -1);

  function count(alive) {
    if (state.hover >= 0) {
      const parts = axes.map((axis, k) => [axis.name, R.param(k, sample.params[k][state.hover])]);
      return R.tell("lines-readout", [...parts, [objective.label, R.score(sample.score[state.hover])]]);
    }
    const few = alive || order.filter(passes);
    const total = order.length.toLocaleString("en-US");
    const parts = [["", few.length.toLocaleString("en-US")], [few.length === order.length ? "variants" : "of " + total + " variants"]];
    if (few.length) parts.push(["best", R.score(sample.score[few[few.length - 1]])], ["median", R.score(sample.score[few[Math.floor((few.length - 1) / 2)]])]);
    R.tell("lines-readout", parts);
    canvas.setAttribute("aria-label", "Parallel coordinates of " + few.length + " variants over " + scales.map((one) => one.name).join(", "));
    return undefined;
  }

  function spot(event) {
    const frame = canvas.getBoundingClientRect();
    const box = state.box;
    const x = event.clientX - frame.left;
    const y = event.clientY - frame.top;
    let near = -1;
    scales.forEach((one, k) => { if (Math.abs(box.X(k) - x) <= 14 && (near < 0 || Math.abs(box.X(k) - x) < Math.abs(box.X(near) - x))) near = k; });
    // Near its end the whole rest of the axis is meant: nobody hits the last pixel.
    const at = (box.Y(0) - y) / (box.Y(0) - box.Y(1));
    return { x, y, near, at: at > 0.98 ? 1 : at < 0.02 ? 0 : at };
  }

  function nearest({ x, y }) {
    const box = state.box;
    let found = -1;
    let least = 7;
    const k = Math.max(0, Math.min(last - 1, Math.floor(((x - box.X(0)) / (box.X(last) - box.X(0))) * last)));
    const part = (x - box.X(k)) / (box.X(k + 1) - box.X(k));
    for (const i of order) {
      const a = drawn(scales[k], k, i);
      const b = drawn(scales[k + 1], k + 1, i);
      if (a === null || b === null) continue;
      const away = Math.abs(box.Y(a + (b - a) * part) - y);
      if (away <= least && passes(i)) { least = away; found = i; }
    }
    return found;
  }

  canvas.addEventListener("pointerdown", function (event) {
    const where = spot(event);
    if (where.near < 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    state.drag = { axis: where.near, from: where.at, moved: false };
    state.axis = where.near;
    canvas.style.touchAction = "none";
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", function (event) {
    const where = spot(event);
    if (state.drag) {
      state.hover = -1;
      if (Math.abs(where.at - state.drag.from) > 0.012) state.drag.moved = true;
      if (state.drag.moved) { brushes[state.drag.axis] = [Math.min(where.at, state.drag.from), Math.max(where.at, state.drag.from)]; draw(); }
      return;
    }
    canvas.style.cursor = where.near >= 0 ? "ns-resize" : "crosshair";
    const hover = where.near >= 0 ? -1 : nearest(where);
    if (hover === state.hover) return;
    state.hover = hover;
    count();
    over();
  });
  function release() {
    if (!state.drag) return;
    if (!state.drag.moved) brushes[state.drag.axis] = null;
    state.drag = null;
    canvas.style.touchAction = "";
    draw();
  }
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { if (state.hover >= 0) { state.hover = -1; count(); over(); } });

  function clear() { brushes.fill(null); state.axis = -1; draw(); }
  canvas.addEventListener("keydown", function (event) {
    const { key } = event;
    if (key === "Escape") return clear();
    if (key === "ArrowLeft" || key === "ArrowRight") state.axis = (state.axis + (key === "ArrowRight" ? 1 : scales.length - (state.axis < 0 ? 0 : 1))) % scales.length;
    else if (["ArrowUp", "ArrowDown", "+", "-"].includes(key) && state.axis >= 0) {
      let [low, high] = brushes[state.axis] || [0.75, 1];
      const by = key === "ArrowUp" ? 0.05 : key === "ArrowDown" ? -0.05 : 0;
      if (brushes[state.axis]) {
        if (by) { const push = Math.max(-low, Math.min(1 - high, by)); low += push; high += push; }
        else { const widen = key === "+" ? 0.025 : -0.025; low = Math.max(0, low - widen); high = Math.min(1, Math.max(low + 0.01, high + widen)); }
      }
      brushes[state.axis] = [low, high];
    } else return undefined;
    event.preventDefault();
    return draw();
  });
  byId("lines-clear").addEventListener("click", clear);
  byId("lines-best").addEventListener("click", function () {
    brushes.fill(null);
    if (order.length) brushes[last] = [scales[last].at(sample.score[order[Math.floor(order.length * 0.9)]]), 1];
    draw();
  });
  R.onChoose((row) => { state.row = row; over(); });
  R.onResize(draw);
  draw();
})();
