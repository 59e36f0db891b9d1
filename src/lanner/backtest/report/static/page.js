(function () {
  "use strict";
  const R = window.LannerReport;
  const tip = R.byId("tip");
  let owner = null;

  function show(target) {
    const entry = R.data.metrics[target.dataset.metric];
    if (!entry) return;
    owner = target;
    const [label, summary, formula, source] = entry;
    tip.replaceChildren(R.make("b", label), document.createElement("br"), summary, R.make("code", formula), R.make("small", source));
    tip.hidden = false;
    const box = target.getBoundingClientRect();
    const left = Math.max(12, Math.min(box.left, innerWidth - tip.offsetWidth - 12));
    const below = box.bottom + 6 + tip.offsetHeight < innerHeight;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (below ? box.bottom + 6 : box.top - tip.offsetHeight - 6) + scrollY + "px";
  }

  function hide() { owner = null; tip.hidden = true; }

  for (const target of document.querySelectorAll("[data-metric]")) {
    // The script shows more than the plain title does, so the title would only double it.
    target.removeAttribute("title");
    target.addEventListener("pointerenter", () => show(target));
    target.addEventListener("pointerleave", hide);
    target.addEventListener("focus", () => show(target));
    target.addEventListener("blur", hide);
    target.addEventListener("click", () => (owner === target ? undefined : show(target)));
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((item) => { item.open = true; }));
  R.announce();
})();
