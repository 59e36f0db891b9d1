(function () {
  "use strict";
  const R = window.LannerReport;
  const { byId, color } = R;
  const sets = R.data.candles;
  if (!sets.length) return;
  const L = window.LightweightCharts;
  const columns = R.data.trades.columns;
  const words = R.data.trades.words;
  let set = sets[0];
  let chosen = -1;
  let here = [];

  // The last bar that opened at or before a time; trades happen inside bars.
  function barAt(ms) {
    const seconds = ms / 1000;
    let low = 0, high = set.t.length - 1;
    if (seconds < set.t[0]) return -1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (set.t[middle] <= seconds) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  const chart = L.createChart(byId("plot-price"), {
    autoSize: true,
    layout: { attributionLogo: true, fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily },
    timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 4, minBarSpacing: 0.05 },
    rightPriceScale: { minimumWidth: 62 },
    crosshair: { mode: L.CrosshairMode.Normal },
    localization: { timeFormatter: (seconds) => R.stamp(seconds * 1000) },
  });
  const candles = chart.addSeries(L.CandlestickSeries, { borderVisible: false, priceLineVisible: false });
  const volume = chart.addSeries(L.HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.16 } });

  function triangle(ctx, x, y, size, up) {
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x - size, y + (up ? 1.7 : -1.7) * size);
    ctx.lineTo(x + size, y + (up ? 1.7 : -1.7) * size);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }

  // Draws every visible trade at its own prices: entry, exit and the line between.
  const overlay = {
    attached(target) { this.request = target.requestUpdate; },
    updateAllViews() {},
    paneViews() { return [{ zOrder: () => "top", renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace((space) => paint(space.context)) }) }]; },
  };

  function paint(ctx) {
    const visible = chart.timeScale().getVisibleLogicalRange();
    if (!visible) return;
    const scale = chart.timeScale();
    const tones = { win: color("good"), loss: color("bad"), long: color("long"), short: color("short"), exit: color("text"), edge: color("card") };
    const spacing = scale.width() / Math.max(1, visible.to - visible.from);
    const size = spacing < 1 ? 2.6 : Math.max(4, Math.min(6, spacing * 1.1));
    for (const trade of here) {
      if (trade.to < visible.from || trade.from > visible.to) continue;
      const x0 = scale.logicalToCoordinate(trade.from), x1 = scale.logicalToCoordinate(trade.to);
      const y0 = candles.priceToCoordinate(columns.entry_px[trade.row]), y1 = candles.priceToCoordinate(columns.exit_px[trade.row]);
      if (x0 === null || x1 === null || y0 === null || y1 === null) continue;
      const win = columns.pnl[trade.row] > 0, picked = trade.row === chosen;
      ctx.strokeStyle = win ? tones.win : tones.loss;
      ctx.globalAlpha = picked ? 1 : 0.75;
      ctx.lineWidth = picked ? 2.4 : spacing < 1.5 ? 1 : 1.4;
      ctx.setLineDash(picked ? [] : [4, 3]);
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1, y1);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.globalAlpha = 1;
      ctx.lineWidth = 1;
      ctx.strokeStyle = tones.edge;
      const long = columns.side[trade.row] > 0;
      ctx.fillStyle = long ? tones.long : tones.short;
      triangle(ctx, x0, y0, size + (picked ? 2 : 0), long);
      if (columns.open[trade.row]) continue;
      ctx.fillStyle = tones.exit;
      ctx.beginPath();
      ctx.arc(x1, y1, size * 0.8 + (picked ? 1.5 : 0), 0, 7);
      ctx.fill();
      ctx.stroke();
    }
  }
  candles.attachPrimitive(overlay);

  function paintTheme() {
    const good = color("good"), bad = color("bad");
    chart.applyOptions({
      layout: { background: { type: "solid", color: color("card") }, textColor: color("muted") },
      grid: { vertLines: { color: color("grid") }, horzLines: { color: color("grid") } },
      rightPriceScale: { borderColor: color("line") },
      timeScale: { borderColor: color("line") },
    });
    candles.applyOptions({ upColor: good, downColor: bad, wickUpColor: good, wickDownColor: bad });
    volume.applyOptions({ color: color("grid") });
    if (overlay.request) overlay.request();
  }

  function load(next) {
    set = next;
    candles.applyOptions({ priceFormat: { type: "price", precision: set.decimals, minMove: Math.pow(10, -set.decimals) } });
    candles.setData(set.t.map((time, i) => ({ time, open: set.o[i], high: set.h[i], low: set.l[i], close: set.c[i] })));
    volume.setData(set.t.map((time, i) => ({ time, value: set.v[i] || 0 })));
    here = [];
    for (let row = 0; row < columns.id.length; row++) {
      if (words[columns.instrument[row]] !== set.id) continue;
      const from = barAt(columns.entry[row]);
      const to = barAt(columns.exit[row]);
      if (to >= 0 && from >= 0) here.push({ row, from, to });
    }
    here.sort((a, b) => a.from - b.from || a.row - b.row);
    // Open where there is something to see: the newest trades.
    const width = R.phone() ? 90 : 240;
    const last = Math.max(Math.min(width, set.t.length), here.length ? Math.min(set.t.length, here[here.length - 1].to + 15) : set.t.length);
    if (set.t.length > width) chart.timeScale().setVisibleLogicalRange({ from: last - width, to: last });
    else chart.timeScale().fitContent();
    legend(null);
  }

  function legend(param) {
    const box = byId("price-readout");
    const i = param && param.logical !== undefined && param.logical !== null ? Math.round(param.logical) : set.t.length - 1;
    if (i < 0 || i >= set.t.length) return;
    const show = (value) => R.number(value, set.decimals);
    let text = set.id + " " + set.spec + "  " + R.stamp(set.t[i] * 1000) + "  O " + show(set.o[i]) + " H " + show(set.h[i]) + " L " + show(set.l[i]) + " C " + show(set.c[i]);
    const at = param ? here.find((trade) => trade.from === i || trade.to === i) : null;
    if (at) text += "  #" + columns.id[at.row] + (columns.side[at.row] > 0 ? " long " : " short ") + R.signed(R.number(columns.pnl[at.row]), columns.pnl[at.row]);
    box.textContent = text;
  }
  chart.subscribeCrosshairMove(legend);

  R.showTrade = function (row, scroll) {
    const wanted = sets.find((other) => other.id === words[columns.instrument[row]]);
    if (!wanted) return false;
    if (wanted !== set) { byId("price-pick").value = String(sets.indexOf(wanted)); load(wanted); }
    const trade = here.find((item) => item.row === row);
    if (!trade) return false;
    chosen = row;
    const room = Math.max(30, (trade.to - trade.from) * 1.2);
    chart.timeScale().setVisibleLogicalRange({ from: trade.from - room, to: trade.to + room });
    if (overlay.request) overlay.request();
    if (scroll) byId("price").scrollIntoView({ block: "nearest" });
    return true;
  };

  function step(direction) {
    if (!here.length) return;
    const visible = chart.timeScale().getVisibleLogicalRange();
    let index = here.findIndex((trade) => trade.row === chosen);
    if (index < 0) index = direction > 0 ? here.findIndex((trade) => trade.from > visible.from) - 1 : here.length;
    const next = here[Math.max(0, Math.min(here.length - 1, index + direction))];
    R.showTrade(next.row, false);
    if (R.chooseTrade) R.chooseTrade(next.row);
  }

  const pick = byId("price-pick");
  sets.forEach((item, i) => pick.append(new Option(item.id + " " + item.spec, String(i))));
  pick.hidden = sets.length < 2;
  pick.addEventListener("change", () => load(sets[Number(pick.value)]));
  byId("price-all").addEventListener("click", () => chart.timeScale().fitContent());
  byId("price-prev").addEventListener("click", () => step(-1));
  byId("price-next").addEventListener("click", () => step(1));
  byId("price-prev").disabled = byId("price-next").disabled = !columns.id.length;
  R.onTheme(paintTheme);
  paintTheme();
  load(set);
})();
