(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, make, number, percent, signed } = R;
  const table = byId("trades-table");
  if (!table) return;
  const c = R.data.trades.columns;
  const words = R.data.trades.words;
  const tone = (value) => (value > 0 ? "good" : value < 0 ? "bad" : "");
  const several = (column) => new Set(column).size > 1;
  const decimalsOf = new Map(R.data.candles.map((set) => [set.id, set.decimals]));
  // An average entry price can have more digits than the tick; two more show it without noise.
  const price = (row, value) => {
    const decimals = decimalsOf.get(words[c.instrument[row]]);
    return decimals === undefined ? String(value) : number(value, decimals);
  };

  // key, heading, value to sort by, text, class of the cell, hidden on phones, title
  const COLUMNS = [
    ["id", "#", (i) => c.id[i], (i) => String(c.id[i]), "", false],
    ["instrument", "Instrument", (i) => words[c.instrument[i]], (i) => words[c.instrument[i]], "text", false],
    ["strategy", "Strategy", (i) => words[c.strategy[i]], (i) => words[c.strategy[i]], "text", true],
    ["side", "Side", (i) => c.side[i], (i) => (c.side[i] > 0 ? "Long" : "Short"), "text", false],
    ["entry", "Entry (UTC)", (i) => c.entry[i], (i) => R.stamp(c.entry[i]), "", false],
    ["exit", "Exit (UTC)", (i) => c.exit[i], (i) => (c.open[i] ? "open" : R.stamp(c.exit[i])), "", true],
    ["hold", "Held", (i) => c.exit[i] - c.entry[i], (i) => R.duration(c.exit[i] - c.entry[i]), "", true],
    ["entry_px", "Entry px", (i) => c.entry_px[i], (i) => price(i, c.entry_px[i]), "", true],
    ["exit_px", "Exit px", (i) => c.exit_px[i], (i) => price(i, c.exit_px[i]), "", true],
    ["qty", "Qty", (i) => c.qty[i], (i) => (c.qty[i] >= 1e9 || c.qty[i] < 1e-6 ? number(c.qty[i]) : c.qty[i].toLocaleString("en-US", { maximumFractionDigits: 8 })), "", true],
    ["pnl", "P&L", (i) => c.pnl[i], (i) => signed(number(c.pnl[i]), c.pnl[i]), "tone", false],
    ["ret", "Return", (i) => c.ret[i], (i) => signed(percent(c.ret[i]), c.ret[i]), "tone", false],
    ["fees", "Fees", (i) => c.fees[i], (i) => number(c.fees[i]), "", true],
    ["funding", "Funding", (i) => c.funding[i], (i) => number(c.funding[i]), "", true],
    ["mae", "MAE", (i) => c.mae[i], (i) => percent(c.mae[i]), "", true, "Worst unrealised return while open"],
    ["mfe", "MFE", (i) => c.mfe[i], (i) => percent(c.mfe[i]), "", true, "Best unrealised return while open"],
    ["why", "Exit reason", (i) => words[c.why_out[i]], (i) => words[c.why_out[i]] || "–", "text", false],
  ].filter(([key]) => (key === "instrument" ? several(c.instrument) : key === "strategy" ? several(c.strategy) : key === "funding" ? c.funding.some((value) => value) : true));

  const state = { sort: "id", down: false, page: 0, size: 15, chosen: -1, rows: [] };

  function matches(i) {
    const side = byId("trades-side").value;
    const result = byId("trades-result").value;
    if (side && String(c.side[i]) !== side) return false;
    if (result === "win" && !(c.pnl[i] > 0 && !c.open[i])) return false;
    if (result === "loss" && !(c.pnl[i] < 0 && !c.open[i])) return false;
    if (result === "open" && !c.open[i]) return false;
    for (const [id, column] of [["trades-instrument", c.instrument], ["trades-strategy", c.strategy], ["trades-why", c.why_out]]) {
      const wanted = byId(id).value;
      if (wanted !== "" && String(column[i]) !== wanted) return false;
    }
    const text = byId("trades-find").value.trim().toLowerCase();
    return !text || COLUMNS.some(([, , , show]) => show(i).toLowerCase().includes(text));
  }

  function refresh() {
    const key = COLUMNS.find(([name]) => name === state.sort)[2];
    const sign = state.down ? -1 : 1;
    state.rows = c.id.map((id, i) => i).filter(matches).sort(function (a, b) {
      const x = key(a), y = key(b);
      return x === y ? a - b : (x === null ? 1 : y === null ? -1 : x < y ? -1 : 1) * sign;
    });
    state.page = Math.max(0, Math.min(state.page, Math.ceil(state.rows.length / state.size) - 1));
    const net = state.rows.reduce((sum, i) => sum + (c.pnl[i] || 0), 0);
    byId("trades-readout").textContent = state.rows.length.toLocaleString("en-US") + (state.rows.length === c.id.length ? "" : " of " + c.id.length.toLocaleString("en-US")) + " trades, net " + signed(number(net), net) + " " + R.data.currency;
    draw();
  }

  function draw() {
    const first = state.page * state.size;
    const body = table.tBodies[0];
    body.replaceChildren(...state.rows.slice(first, first + state.size).map(function (i) {
      const line = document.createElement("tr");
      line.dataset.row = String(i);
      if (i === state.chosen) line.className = "chosen";
      for (const [key, , value, show, kind, wide] of COLUMNS) {
        const cell = make("td", show(i), [kind === "tone" ? tone(value(i)) : kind, wide ? "wide" : ""].join(" ").trim());
        if (kind === "text") cell.title = show(i);
        line.append(cell);
      }
      return line;
    }));
    if (!state.rows.length) {
      const line = body.insertRow();
      const cell = make("td", "No trade matches.", "empty");
      cell.colSpan = COLUMNS.length;
      line.append(cell);
    }
    const pages = Math.max(1, Math.ceil(state.rows.length / state.size));
    byId("page-text").textContent = state.page + 1 + " / " + pages;
    byId("page-first").disabled = byId("page-prev").disabled = state.page === 0;
    byId("page-next").disabled = byId("page-last").disabled = state.page >= pages - 1;
    for (const heading of table.tHead.rows[0].cells) {
      if (heading.dataset.key === state.sort) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
  }

  function turn(page) { state.page = page; draw(); }

  const head = table.tHead.insertRow();
  for (const [key, label, , , kind, wide, title] of COLUMNS) {
    const heading = make("th", undefined, [kind === "text" ? "text" : "", wide ? "wide" : ""].join(" ").trim());
    heading.dataset.key = key;
    heading.scope = "col";
    const button = make("button", label);
    button.type = "button";
    if (title) button.title = title;
    button.addEventListener("click", function () {
      state.down = state.sort === key ? !state.down : kind === "tone" || key === "hold";
      state.sort = key;
      state.page = 0;
      refresh();
    });
    heading.append(button);
    head.append(heading);
  }

  function fill(id, column, all) {
    const select = byId(id);
    const values = [...new Set(column)].sort((a, b) => (words[a] < words[b] ? -1 : 1));
    select.append(new Option(all, ""), ...values.map((value) => new Option(words[value] || "–", String(value))));
    select.hidden = values.length < 2;
  }
  fill("trades-instrument", c.instrument, "All instruments");
  fill("trades-strategy", c.strategy, "All strategies");
  fill("trades-why", c.why_out, "All exits");

  for (const id of ["trades-find", "trades-side", "trades-result", "trades-instrument", "trades-strategy", "trades-why"])
    byId(id).addEventListener("input", () => { state.page = 0; refresh(); });
  byId("page-size").addEventListener("input", function () { state.size = Number(this.value); state.page = 0; draw(); });
  byId("page-first").addEventListener("click", () => turn(0));
  byId("page-prev").addEventListener("click", () => turn(state.page - 1));
  byId("page-next").addEventListener("click", () => turn(state.page + 1));
  byId("page-last").addEventListener("click", () => turn(Math.ceil(state.rows.length / state.size) - 1));
  table.tBodies[0].addEventListener("click", function (event) {
    const line = event.target.closest("tr[data-row]");
    if (!line) return;
    state.chosen = Number(line.dataset.row);
    draw();
    if (R.showTrade) R.showTrade(state.chosen, true);
  });

  R.chooseTrade = function (row) {
    state.chosen = row;
    const at = state.rows.indexOf(row);
    if (at >= 0) state.page = Math.floor(at / state.size);
    draw();
  };

  byId("trades-csv").addEventListener("click", function () {
    // A cell that begins like a formula would be run by a spreadsheet.
    const quote = (text) => '"' + (/^[=+\-@\t\r]/.test(text) && isNaN(Number(text)) ? "'" + text : text).replaceAll('"', '""') + '"';
    const keys = ["id", "instrument", "strategy", "side", "entry_utc", "exit_utc", "entry_px", "exit_px", "qty", "pnl", "return", "fees", "funding", "slippage", "mae", "mfe", "entry_reason", "exit_reason"];
    const lines = state.rows.map((i) => [c.id[i], words[c.instrument[i]], words[c.strategy[i]], c.side[i] > 0 ? "long" : "short", new Date(c.entry[i]).toISOString(), c.open[i] ? "" : new Date(c.exit[i]).toISOString(), c.entry_px[i], c.exit_px[i], c.qty[i], c.pnl[i], c.ret[i], c.fees[i], c.funding[i], c.slippage[i], c.mae[i], c.mfe[i], words[c.why_in[i]], words[c.why_out[i]]].map((value) => quote(String(value === null ? "" : value))).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([keys.join(",") + "\n" + lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = "trades.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  refresh();
})();
