(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color } = R;
  const { heats, top, objective } = R.data;
  if (!byId("heat") || !heats.length) return;
  const canvas = byId("heat").querySelector("canvas");
  const state = { pair: 0, kind: "best", around: true, cell: null, row: 0, box: null };

  // Where a variant lies: its own cell, or the coarse cell whose first value is the last below its own.
  function place(axis, value, starts) {
    const wanted = axis >= 0 && R.data.axes[axis].texts ? R.data.axes[axis].texts[value] : value;
    const exact = starts.indexOf(wanted);
    if (exact >= 0 || typeof wanted !== "number") return exact;
    let found = -1;
    starts.forEach((start, i) => { if (typeof start === "number" && start <= wanted) found = i; });
    return found;
  }

  function cellOf(row) {
    const heat = heats[state.pair];
    if (row < 0 || row >= top.rank.length || heat.ix < 0 || heat.iy < 0) return null;
    const x = place(heat.ix, top.params[heat.ix][row], heat.xv);
    const y = place(heat.iy, top.params[heat.iy][row], heat.yv);
    return x < 0 || y < 0 ? null : [x, y];
  }

  function labels(c, texts, size, along, width) {
    // As many labels as have room: every one, every second, every fifth …
    const need = along === "x" ? Math.max(...texts.map((text) => c.measureText(text).width)) + 10 : 14;
    for (const step of [1, 2, 3, 4, 5, 10, 20, 50, 100]) if (size * step >= Math.min(need, width)) return step;
    return texts.length;
  }

  function draw() {
    const heat = heats[state.pair];
    const values = heat[state.kind];
    const nx = heat.xs.length;
    const ny = heat.ys.length;
    const scale = R.scaleOf(values.flat(), state.around);
    const width = byId("heat").clientWidth;
    const measure = canvas.getContext("2d");
    measure.font = "11px " + getComputedStyle(document.body).fontFamily;
    const left = Math.min(R.phone() ? 60 : 110, Math.max(...heat.ys.map((text) => measure.measureText(text).width)) + 10) + 16;
    const legend = R.phone() ? 56 : 70;
    const room = width - left - legend;
    const cw = room / nx;
    const full = Math.max(220, Math.min(R.phone() ? 340 : 450, ny * 42));
    const ch = Math.min(full / ny, 46);
    const height = Math.round(ch * ny) + 44;
    const box = { left, top: 4, cw, ch, nx, ny };
    state.box = box;
    const c = R.fit(canvas, width, height);
    // Cells end on whole pixels of the screen, so that no seams show between them.
    const ratio = devicePixelRatio || 1;
    const snap = (value) => Math.round(value * ratio) / ratio;
    const X = (i) => snap(left + i * cw);
    const Y = (j) => snap(box.top + (ny - j) * ch);
    const gap = cw > 12 && ch > 12 ? 1 : 0;
    c.fillStyle = color("sunk");
    c.fillRect(X(0), Y(ny), X(nx) - X(0), Y(0) - Y(ny));
    const show = cw >= 40 && ch >= 17;
    c.textAlign = "center";
    c.textBaseline = "middle";
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        const value = values[j][i];
        if (value === null) continue;
        const at = scale.at(value);
        c.fillStyle = R.paint(at);
        c.fillRect(X(i), Y(j + 1), X(i + 1) - X(i) - gap, Y(j) - Y(j + 1) - gap);
        if (!show) continue;
        c.fillStyle = R.dark(at) ? "#fff" : "#10141d";
        c.fillText(R.clipped(c, brief(value), cw - 4), (X(i) + X(i + 1)) / 2, (Y(j) + Y(j + 1)) / 2);
      }
    }
    plateau(c, values, scale, X, Y, nx, ny);
    axesOf(c, heat, box, X, Y, height);
    bar(c, scale, width - legend + 14, box.top, ny * ch);
    const best = cellOf(0);
    if (best) target(c, (X(best[0]) + X(best[0] + 1) - gap) / 2, (Y(best[1]) + Y(best[1] + 1) - gap) / 2, values[best[1]][best[0]], scale, show);
    const chosen = state.row > 0 ? cellOf(state.row) : null;
    for (const [cell, tone, line] of [[chosen, "accent", 2.5], [state.cell, "text", 2]]) {
      if (!cell) continue;
      c.strokeStyle = color(tone);
      c.lineWidth = line;
      c.strokeRect(X(cell[0]) - 0.5, Y(cell[1] + 1) - 0.5, X(cell[0] + 1) - X(cell[0]) + 1 - gap, Y(cell[1]) - Y(cell[1] + 1) + 1 - gap);
    }
    tell();
  }

  // Numbers of one map have one number of decimals, which reads faster than one number of digits.
  const brief = (value) => (objective.fraction || Math.abs(value) >= 100 ? R.tick(Number(value.toPrecision(3))) : value.toFixed(Math.abs(value) < 10 ? 2 : 1).replace("-", "−"));

  function plateau(c, values, scale, X, Y, nx, ny) {
    const known = values.flat().filter((value) => value !== null);
    const most = known.length ? Math.max(...known) : 0;
    if (!(most > scale.center) && !(most > 0)) return;
    const base = objective.neutral === null ? 0 : objective.neutral;
    if (most <= base) return;
    const inside = (i, j) => i >= 0 && j >= 0 && i < nx && j < ny && values[j][i] !== null && values[j][i] >= base + 0.8 * (most - base);
    c.strokeStyle = color("peak");
    c.lineWidth = 1.4;
    c.beginPath();
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        if (!inside(i, j)) continue;
        if (!inside(i - 1, j)) { c.moveTo(X(i), Y(j)); c.lineTo(X(i), Y(j + 1)); }
        if (!inside(i + 1, j)) { c.moveTo(X(i + 1), Y(j)); c.lineTo(X(i + 1), Y(j + 1)); }
        if (!inside(i, j - 1)) { c.moveTo(X(i), Y(j)); c.lineTo(X(i + 1), Y(j)); }
        if (!inside(i, j + 1)) { c.moveTo(X(i), Y(j + 1)); c.lineTo(X(i + 1), Y(j + 1)); }
      }
    }
    c.stroke();
  }

  function target(c, x, y, value, scale, shown) {
    // Beside a printed number a ring would hide it.
    const ink = value !== null && value !== undefined && R.dark(scale.at(value)) ? "#fff" : "#10141d";
    c.strokeStyle = ink;
    c.fillStyle = ink;
    c.lineWidth = 1.6;
    const { cw, ch } = state.box;
    if (shown) { x = x - cw / 2 + 7; y = y - ch / 2 + 7; }
    const size = shown ? 3.6 : Math.max(3.2, Math.min(6, Math.min(cw, ch) * 0.6));
    c.beginPath();
    c.arc(x, y, size, 0, 7);
    c.stroke();
    c.beginPath();
    c.arc(x, y, size * 0.36, 0, 7);
    c.fill();
  }

  function axesOf(c, heat, box, X, Y, height) {
    c.fillStyle = color("muted");
    const bottom = Y(0);
    const everyX = labels(c, heat.xs, box.cw, "x", 70);
    c.textAlign = "center";
    c.textBaseline = "top";
    for (let i = 0; i < box.nx; i += everyX) c.fillText(R.clipped(c, heat.xs[i], Math.max(box.cw * everyX - 4, 24)), (X(i) + X(i + 1)) / 2, bottom + 5);
    const everyY = labels(c, heat.ys, box.ch, "y", 14);
    c.textAlign = "right";
    c.textBaseline = "middle";
    for (let j = 0; j < box.ny; j += everyY) c.fillText(R.clipped(c, heat.ys[j], box.left - 24), box.left - 6, (Y(j) + Y(j + 1)) / 2);
    c.fillStyle = color("text");
    c.textAlign = "center";
    c.textBaseline = "bottom";
    c.fillText(R.clipped(c, heat.x, box.nx * box.cw), (X(0) + X(box.nx)) / 2, height - 2);
    c.save();
    c.translate(10, (Y(0) + Y(box.ny)) / 2);
    c.rotate(-Math.PI / 2);
    c.textBaseline = "middle";
    c.fillText(R.clipped(c, heat.y, box.ny * box.ch), 0, 0);
    c.restore();
  }

  function bar(c, scale, x, y, height) {
    const high = scale.center + scale.full;
    const low = scale.center - scale.full;
    // Of a scale around zero only the part is shown that has scores.
    const from = Math.max(low, Math.min(scale.low, scale.center));
    const to = Math.min(high, Math.max(scale.high, scale.center));
    const steps = Math.max(2, Math.round(height));
    for (let i = 0; i < steps; i++) {
      c.fillStyle = R.paint(scale.at(to - ((to - from) * i) / (steps - 1)));
      c.fillRect(x, y + (i * height) / steps, 9, height / steps + 1);
    }
    c.fillStyle = color("muted");
    c.textAlign = "left";
    const places = [[to, y + 5], [from, y + height - 5]];
    if (scale.center > from && scale.center < to) places.push([scale.center, y + ((to - scale.center) / (to - from || 1)) * height]);
    c.textBaseline = "middle";
    const used = [];
    for (const [value, at] of places) {
      if (used.some((other) => Math.abs(other - at) < 13)) continue;
      used.push(at);
      c.fillText(R.clipped(c, R.tick(Number(value.toPrecision(2))), R.phone() ? 40 : 44), x + 13, at);
    }
  }

  function tell() {
    const heat = heats[state.pair];
    const cell = state.cell || cellOf(state.row);
    if (!cell) return R.tell("heat-readout", []);
    const [i, j] = cell;
    const best = heat.best[j][i];
    const parts = [[heat.x, heat.xs[i]], [heat.y, heat.ys[j]]];
    if (best === null) parts.push(["not tried"]);
    else parts.push(["best", R.score(best)], ["mean", R.score(heat.mean[j][i])]);
    R.tell("heat-readout", parts);
  }

  function at(event) {
    const spot = canvas.getBoundingClientRect();
    const { left, top: above, cw, ch, nx, ny } = state.box;
    const i = Math.floor((event.clientX - spot.left - left) / cw);
    const j = ny - 1 - Math.floor((event.clientY - spot.top - above) / ch);
    return i < 0 || j < 0 || i >= nx || j >= ny ? null : [i, j];
  }

  function move(cell) {
    if (String(cell) === String(state.cell)) return;
    state.cell = cell;
    draw();
  }

  canvas.addEventListener("pointermove", (event) => move(at(event)));
  canvas.addEventListener("pointerdown", (event) => move(at(event)));
  canvas.addEventListener("pointerleave", () => move(null));
  canvas.addEventListener("blur", () => move(null));
  canvas.addEventListener("keydown", function (event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step && event.key !== "Home") return;
    event.preventDefault();
    const { nx, ny } = state.box;
    const [i, j] = state.cell || cellOf(0) || [0, 0];
    move(step ? [Math.max(0, Math.min(nx - 1, i + step[0])), Math.max(0, Math.min(ny - 1, j + step[1]))] : cellOf(0));
  });

  const pick = byId("heat-pair");
  heats.forEach((heat, i) => pick.append(new Option(heat.x + " × " + heat.y, String(i))));
  pick.hidden = heats.length < 2;
  function turn() {
    const heat = heats[state.pair];
    canvas.setAttribute("aria-label", "Heat map of the " + state.kind + " " + objective.label + " over " + heat.x + " and " + heat.y + ", " + heat.xs.length + " by " + heat.ys.length + " cells. Arrow keys walk the cells.");
    byId("heat-note").textContent = (R.data.axes.length > 2 ? (state.kind === "best" ? "A cell is the best over all other parameters." : "A cell is the mean over all other parameters.") : "") + (heat.coarse ? " Neighbouring values share a cell." : "");
    state.cell = null;
    draw();
  }
  pick.addEventListener("input", function () { state.pair = Number(this.value); turn(); });
  byId("heat-kind").addEventListener("input", function () { state.kind = this.value; turn(); });
  byId("heat-kind").hidden = R.data.axes.length <= 2;
  byId("heat-zero").hidden = objective.neutral === null;
  byId("heat-neutral").textContent = String(objective.neutral);
  byId("heat-zero").addEventListener("click", function () {
    state.around = !state.around;
    this.setAttribute("aria-pressed", String(state.around));
    draw();
  });
  R.onChoose((row) => { state.row = row; draw(); });
  R.onResize(draw);
  turn();
})();
