// The list of recorded runs, with a search.
import { newestOf, request } from "./api.js";
import { clear, find, formatDuration, make } from "./dom.js";
import { faultChips } from "./faults.js";
import { text } from "./fields.js";
import { makeRoving, refreshRoving } from "./tabs.js";
import { translate } from "./texts.js";

const SHOWN_RUNS = 100;

export class History {
  // `onOpen` is called with the id of the run that is chosen.
  constructor(onOpen) {
    this.runs = [];
    this.current = null;
    this.begin = newestOf();
    this.list = find("#history");
    this.list.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      onOpen(link.dataset.run);
    });
    makeRoving(this.list, "a");
    find("#search").addEventListener("input", () => this.show());
  }

  async refresh() {
    const isNewest = this.begin();
    const runs = await request("/playground/runs");
    if (!isNewest()) return;
    this.runs = runs;
    this.show();
  }

  mark(run) {
    this.current = run;
    for (const link of this.list.querySelectorAll("a"))
      if (link.dataset.run === run) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
  }

  show() {
    const words = find("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.runs.map((run) => [run, this.item(run)]).filter(([, item]) => words.every((word) => item.textContent.toLowerCase().includes(word)));
    const focused = document.activeElement?.dataset?.run;
    clear(this.list).append(...found.slice(0, SHOWN_RUNS).map(([, item]) => item));
    if (!found.length) this.list.append(make("li", { class: "quiet" }, translate(this.runs.length ? "not_found" : "none")));
    if (found.length > SHOWN_RUNS) this.list.append(make("li", { class: "quiet" }, translate("more_runs", { n: found.length - SHOWN_RUNS })));
    this.mark(this.current);
    refreshRoving(this.list, "a");
    if (focused) [...this.list.querySelectorAll("a")].find((link) => link.dataset.run === focused)?.focus();
  }

  item(run) {
    const kind = run.active ? "now" : run.outcome && run.code === "ok" ? "ok" : "bad";
    const outcome = run.active ? translate("running") : !run.outcome ? translate("interrupted") : run.code === "ok" ? translate("o_ok") : run.outcome === "completed" ? run.code : translate(`o_${run.outcome}`, run);
    const inputs = Object.values(run.inputs).map(text).join(", ");
    const when = new Date(run.started).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    return make("li", {}, make("a", { href: `/runs/${encodeURIComponent(run.id)}`, "data-run": run.id, tabindex: "-1" },
      make("span", { class: `mark ${kind}` }),
      make("span", { class: "what" }, make("b", {}, run.block), ` ${inputs}`),
      make("span", { class: "quiet" }, when),
      make("span", { class: "facts" }, make("span", { class: `outcome ${kind}` }, outcome), make("span", { class: "quiet" }, run.seconds === null ? "" : formatDuration(run.seconds)), ...faultChips(run))));
  }
}
