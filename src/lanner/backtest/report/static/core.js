(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const root = document.documentElement;
  const listeners = [];
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);

  // Canvas needs a plain colour; the browser resolves the theme's variable for us.
  function color(name) {
    probe.style.color = "var(--" + name + ")";
    return getComputedStyle(probe).color;
  }

  const byId = (id) => document.getElementById(id);

  function make(tag, text, className) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  }

  const minus = (text) => text.replace("-", "−");

  function number(value, decimals) {
    if (value === null || value === undefined || !isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size >= 1e12 || (size > 0 && size < 1e-6)) return minus(value.toExponential(3));
    if (decimals === undefined) {
      if (size > 0 && size < 0.1) return minus(String(Number(value.toPrecision(4))));
      decimals = 2;
    }
    return minus(value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }

  function compact(value) {
    const size = Math.abs(value);
    for (const [limit, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e4, "k"]]) {
      if (size >= 1e18) return minus(value.toExponential(1));
      if (size >= limit) return minus(String(Number((value / (unit === "k" ? 1e3 : limit)).toPrecision(4)))) + unit;
    }
    return minus(String(Number(value.toPrecision(6)).toLocaleString("en-US", { maximumSignificantDigits: 6 })));
  }

  function percent(fraction, decimals) {
    if (fraction === null || fraction === undefined || !isFinite(fraction)) return "–";
    const value = fraction * 100 || 0;
    const size = Math.abs(value);
    if (size >= 1e6 || (size > 0 && size < 1e-3)) return minus(value.toExponential(1)) + "%";
    const digits = decimals !== undefined ? decimals : size >= 1e4 ? 0 : size < 0.1 && size > 0 ? 3 : 2;
    return minus(value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })) + "%";
  }

  const signed = (text, value) => (value > 0 ? "+" + text : text);
  const stamp = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");

  function duration(ms) {
    const seconds = Math.round(ms / 1000);
    if (seconds < 60) return ms < 1000 ? ms + "ms" : seconds + "s";
    const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
    for (let i = 0; i < units.length; i++) {
      const [unit, size] = units[i];
      if (seconds < size) continue;
      const whole = Math.floor(seconds / size);
      const next = units[i + 1];
      const rest = next && whole < 100 ? Math.floor((seconds % size) / next[1]) : 0;
      return whole.toLocaleString("en-US") + unit + (rest ? " " + rest + next[0] : "");
    }
    return "0s";
  }

  function theme() {
    const forced = root.dataset.theme;
    if (forced) return forced;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function announce() {
    document.querySelector(".sun").style.display = theme() === "dark" ? "inline" : "none";
    document.querySelector(".moon").style.display = theme() === "dark" ? "none" : "inline";
    for (const listener of listeners) listener();
  }

  // A page opened from a file may be refused storage; the choice then lasts as long as the page.
  function remembered(value) {
    try {
      if (value === undefined) return localStorage.getItem("lanner-report-theme");
      localStorage.setItem("lanner-report-theme", value);
    } catch (refused) {
      return null;
    }
    return value;
  }

  const stored = remembered();
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  byId("theme").addEventListener("click", function () {
    root.dataset.theme = theme() === "dark" ? "light" : "dark";
    remembered(root.dataset.theme);
    announce();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);

  window.LannerReport = {
    data, byId, make, color, number, compact, percent, signed, stamp, duration, theme, announce,
    onTheme: (listener) => listeners.push(listener),
    trades: [],
  };
})();
