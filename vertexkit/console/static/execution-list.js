// The list of executions and its filters.
import { clear, find, make } from "./dom.js";
import { ago, STATES, stateOf, waitOf } from "./state.js";
import { makeRoving, refreshRoving } from "./tabs.js";
import { translate } from "./texts.js";

const FIELDS = ["block", "seconds", "dialog", "id", "code", "waiting_for"];
const FOLDED = FIELDS.slice(2);
const PERIODS = [[900, 15, "min"], [3600, 1, "h"], [21_600, 6, "h"], [86_400, 24, "h"], [604_800, 7, "d"]];
const PAGE = 50, MAX_LISTED = 500;
const SHOWN_ID = 12;

export class ExecutionList {
  // `onChange` is called when a filter changes, `onOpen` with the id of the execution that is chosen.
  constructor({ onChange, onOpen }) {
    Object.assign(this, { onChange, state: "", limit: PAGE, blocks: [], current: null, answer: null, parked: "" });
    find("#filters").addEventListener("input", () => this.changed());
    find("#filters").addEventListener("submit", (event) => event.preventDefault());
    find("#filters").addEventListener("reset", () => {
      this.state = "";
      setTimeout(() => this.changed());
    });
    find("#states").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      this.state = button.dataset.state;
      this.changed();
    });
    find("#more").addEventListener("click", () => {
      this.limit = Math.min(MAX_LISTED, this.limit * 2);
      onChange();
    });
    find("#list").addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      onOpen(link.dataset.execution);
    });
    makeRoving(find("#list"), "a");
  }

  changed() {
    this.limit = PAGE;
    this.showFilters();
    this.onChange();
  }

  // The filters that are set, as the API and the page's address have them.
  filters() {
    const set = Object.fromEntries(FIELDS.map((name) => [name, find(`#f-${name}`).value.trim()]).filter(([, value]) => value));
    return { ...(this.state ? { state: this.state } : {}), ...set };
  }

  query() {
    return new URLSearchParams({ ...this.filters(), limit: this.limit });
  }

  // Sets the filters from the page's address.
  read(parameters) {
    this.state = STATES.includes(parameters.get("state")) ? parameters.get("state") : "";
    this.addBlock(parameters.get("block"));
    for (const name of FIELDS) find(`#f-${name}`).value = parameters.get(name) ?? "";
    this.showFilters();
    find("#more-filters").open = FOLDED.some((name) => parameters.get(name));
  }

  addBlock(name) {
    if (!name || this.blocks.includes(name)) return;
    this.blocks = [...this.blocks, name].sort();
    this.showTexts();
  }

  // Shows everything that depends on the language.
  showTexts() {
    const option = (value, text) => make("option", { value }, text);
    const refill = (select, options) => {
      const { value } = select;
      clear(select).append(...options);
      select.value = value;
    };
    refill(find("#f-block"), [option("", translate("c_any_block")), ...this.blocks.map((name) => option(name, name))]);
    refill(find("#f-seconds"), [option("", translate("c_any_time")), ...PERIODS.map(([value, n, unit]) => option(String(value), translate("c_last", { time: `${n} ${translate(unit)}` })))]);
    this.showFilters();
    if (this.answer) this.show(this.answer);
  }

  showFilters() {
    const focused = document.activeElement?.dataset?.state;
    clear(find("#states")).append(...STATES.map((state) => make("button", { type: "button", "data-state": state, "aria-pressed": String(state === this.state) },
      translate(`s_${state || "all"}`), state === "parked" && this.parked ? make("span", { class: "badge bad" }, this.parked) : null)));
    if (focused !== undefined) find(`#states button[data-state="${focused}"]`)?.focus();
    const folded = FOLDED.filter((name) => find(`#f-${name}`).value.trim()).length;
    find("#filter-count").textContent = folded || "";
  }

  setParked(text) {
    if (text === this.parked) return;
    this.parked = text;
    this.showFilters();
  }

  show(answer) {
    this.answer = answer;
    for (const { block } of answer.executions) this.addBlockQuietly(block);
    const list = find("#list"), focused = document.activeElement?.dataset?.execution;
    const top = list.scrollTop;
    clear(list).append(...answer.executions.map((execution) => this.item(execution, answer.now)));
    list.scrollTop = top;
    find("#list-status").textContent = !answer.executions.length ? translate("c_none") : translate(answer.more ? "c_found_more" : "c_found", { n: answer.executions.length });
    find("#more").hidden = !answer.more || this.limit >= MAX_LISTED;
    this.mark(this.current);
    refreshRoving(list, "a");
    if (focused) list.querySelector(`a[data-execution="${CSS.escape(focused)}"]`)?.focus();
  }

  addBlockQuietly(name) {
    if (this.blocks.includes(name)) return;
    this.blocks = [...this.blocks, name].sort();
    const select = find("#f-block"), { value } = select;
    clear(select).append(make("option", { value: "" }, translate("c_any_block")), ...this.blocks.map((block) => make("option", { value: block }, block)));
    select.value = value;
  }

  mark(execution) {
    this.current = execution;
    for (const link of find("#list").querySelectorAll("a"))
      if (link.dataset.execution === execution) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
  }

  item(execution, now) {
    const { text, mark } = stateOf(execution);
    const note = execution.outcome ? execution.reason : execution.phase === "running" ? "" : waitOf(execution, now);
    const href = `?${new URLSearchParams({ ...this.filters(), execution: execution.execution })}`;
    return make("li", {}, make("a", { href, "data-execution": execution.execution, tabindex: "-1" },
      make("span", { class: `mark ${mark}` }),
      make("span", { class: "what" }, make("b", {}, execution.block), " ", make("span", { class: "quiet mono" }, `${execution.execution.slice(0, SHOWN_ID)}…`), execution.dialog === null ? null : make("span", { class: "quiet" }, ` ${translate("c_dialog_n", { n: execution.dialog })}`)),
      make("span", { class: "quiet" }, ago(execution.accepted_at, now)),
      make("span", { class: "facts" }, make("span", { class: `outcome ${mark}` }, text),
        execution.attempts > 1 ? make("span", { class: "quiet" }, translate("c_runs", { n: execution.attempts })) : null,
        note ? make("span", { class: "note" }, note) : null)));
  }
}
