(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, make } = R;
  const { top, axes, objective } = R.data;
  const table = byId("board");
  if (!table) return;
  const FEW = 15;
  const tone = (value) => (value > 0 ? "good" : value < 0 ? "bad" : "");

  function text(unit, value) {
    if (value === null) return "–";
    if (unit === "fraction") return R.percent(value);
    if (unit === "count") return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
    if (unit === "score") return R.score(value);
    return R.number(value, Math.abs(value) >= 1e6 ? 0 : Math.abs(value) >= 0.005 ? 2 : undefined);
  }

  const signs = new Set(["total_return", "annualized_return"]);
  const COLUMNS = [
    { key: "rank", label: "#", values: top.rank, show: (i) => String(top.rank[i]), up: true },
    ...(top.front && new Set(top.front).size > 1 ? [{ key: "front", label: "Front", title: "Pareto front: nothing beats the first in all objectives", values: top.front, show: (i) => String(top.front[i]), up: true }] : []),
    ...axes.map((axis, k) => ({ key: "param:" + k, label: axis.name, values: axis.texts ? top.params[k].map((value) => axis.texts[value]) : top.params[k], show: (i) => R.param(k, top.params[k][i]), kind: axis.texts ? "param text" : "param", up: true })),
    { key: "score", label: objective.label, title: "The score that ranks the variants", values: top.score, show: (i) => R.score(top.score[i]), kind: "score first" },
    ...top.columns.map((column) => ({
      key: column.key, label: column.label, title: column.title || (R.data.metrics[column.metric] || [])[1], values: column.values,
      show: (i) => (signs.has(column.key) ? R.signed(text(column.unit, column.values[i]), column.values[i]) : text(column.unit, column.values[i])),
      tone: signs.has(column.key), wide: ["exposure", "fees", "end_equity", "win_rate", "annualized_return"].includes(column.key),
    })),
  ];
  const state = { sort: COLUMNS[0], down: false, all: false, row: 0 };

  function draw() {
    const sign = state.down ? -1 : 1;
    const values = state.sort.values;
    const rows = top.rank.map((rank, i) => i).sort(function (a, b) {
      const x = values[a], y = values[b];
      return x === y ? a - b : x === null ? 1 : y === null ? -1 : (x < y ? -1 : 1) * sign;
    });
    const shown = state.all ? rows : rows.slice(0, FEW);
    table.tBodies[0].replaceChildren(...shown.map(function (i) {
      const line = document.createElement("tr");
      line.dataset.row = String(i);
      line.tabIndex = 0;
      line.setAttribute("aria-selected", String(i === state.row));
      if (i === state.row) line.className = "chosen";
      for (const column of COLUMNS) {
        const cell = make("td", column.show(i), [column.kind || "", column.tone ? tone(column.values[i]) : "", column.wide ? "wide" : ""].join(" ").trim());
        if ((column.kind || "").includes("text")) cell.title = column.show(i);
        line.append(cell);
      }
      return line;
    }));
    for (const heading of table.tHead.rows[0].cells) {
      if (heading.dataset.key === state.sort.key) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
    const button = byId("board-all");
    button.hidden = rows.length <= FEW;
    button.textContent = state.all ? "Show " + FEW : "Show all " + rows.length;
    button.setAttribute("aria-expanded", String(state.all));
  }

  const head = table.tHead.insertRow();
  for (const column of COLUMNS) {
    const heading = make("th", undefined, [(column.kind || "").includes("text") ? "text" : "", (column.kind || "").includes("first") ? "first" : "", column.wide ? "wide" : ""].join(" ").trim());
    heading.dataset.key = column.key;
    heading.scope = "col";
    const button = make("button", column.label);
    button.type = "button";
    if (column.title) button.title = column.title;
    button.addEventListener("click", function () {
      state.down = state.sort === column ? !state.down : !column.up;
      state.sort = column;
      draw();
    });
    heading.append(button);
    head.append(heading);
  }

  function choose(line) {
    if (!line) return;
    state.row = Number(line.dataset.row);
    for (const other of table.tBodies[0].rows) {
      other.className = other === line ? "chosen" : "";
      other.setAttribute("aria-selected", String(other === line));
    }
    R.choose(state.row);
  }
  table.tBodies[0].addEventListener("click", (event) => choose(event.target.closest("tr[data-row]")));
  table.tBodies[0].addEventListener("keydown", function (event) {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(event.target.closest("tr[data-row]"));
  });
  byId("board-all").addEventListener("click", function () { state.all = !state.all; draw(); });
  draw();
})();
