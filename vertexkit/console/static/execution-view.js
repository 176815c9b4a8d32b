// One execution: its state, its timeline, and what an operator can do with it.
import { ask } from "./ask.js";
import { clear, find, json, make } from "./dom.js";
import { RecordModel } from "./record-model.js";
import { actionsOf, adviceOf, ago, contentsAction, hasFailed, logAction, stateOf, testAction } from "./state.js";
import { Timeline } from "./timeline.js";
import { translate } from "./texts.js";

export class ExecutionView {
  // `act` carries out an action; `now` returns the server's time in Unix seconds.
  constructor({ act, now }) {
    Object.assign(this, { act, now, record: null, contents: null, log: null, writable: false, hasApp: false });
    this.timeline = new Timeline({ list: find("#rows"), axis: find("#axis"), detail: find("#detail") });
    this.show(null);
  }

  // Shows an execution; the values of its steps stay shown while it is the same one.
  show(record, { writable = this.writable, hasApp = this.hasApp } = {}) {
    const same = record && this.record?.execution === record.execution;
    if (!same) {
      this.timeline.reset();
      this.contents = this.log = null;
      find("#status").textContent = "";
      find("#actions").dataset.shown = "";
    }
    Object.assign(this, { record, writable, hasApp });
    find("#timeline").hidden = !record;
    find("#execution").classList.toggle("empty", !record);
    if (!record) {
      clear(find("#head")).append(make("p", { class: "quiet" }, translate("c_choose")));
      find("#actions").hidden = true;
      find("#contents").hidden = find("#log").hidden = true;
      return;
    }
    this.showHead();
    this.showActions();
    this.showContents();
    this.showLog();
    const values = new Map(this.contents?.effects.map(({ position, value }) => [position, value]));
    this.timeline.replace(new RecordModel(record, values), Boolean(record.outcome));
    if (!record.outcome) this.timeline.follow(() => this.now() - this.record.accepted_at);
  }

  // The language has changed.
  showAgain() {
    const { record, contents, log } = this, status = find("#status").textContent;
    this.record = null;
    this.show(record);
    Object.assign(this, { contents, log });
    find("#contents").dataset.shown = "";
    if (record) this.show(record);
    find("#status").textContent = status;
  }

  showHead() {
    const { record } = this;
    const { text, mark } = stateOf(record);
    const when = new Date(record.accepted_at * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
    const advice = adviceOf(record, this.now());
    clear(find("#head")).append(...[
      make("h1", {}, record.block, make("span", { class: "mono" }, record.execution)),
      make("p", { class: "facts" }, make("span", { class: `outcome ${mark}` }, text),
        record.dialog === null ? null : make("span", { class: "quiet" }, translate("c_dialog_n", { n: record.dialog })),
        make("span", { class: "quiet" }, translate("c_runs", { n: record.attempts })),
        make("span", { class: "quiet", title: ago(record.accepted_at, this.now()) }, when)),
      record.reason ? make("p", { class: "reason" }, record.reason) : null,
      advice ? make("p", { class: "advice quiet" }, advice) : null,
    ].filter(Boolean));
  }

  showActions() {
    const actions = [...(this.writable ? actionsOf(this.record) : []), ...(this.contents ? [] : [contentsAction()]), logAction(), ...(this.hasApp && hasFailed(this.record) ? [testAction()] : [])];
    const shown = JSON.stringify(actions);
    const bar = find("#actions");
    bar.hidden = false;
    if (bar.dataset.shown === shown) return; // a button that has the focus keeps it
    bar.dataset.shown = shown;
    clear(bar).append(...actions.map((action) => make("button", { type: "button", onclick: (event) => this.request(action, event.currentTarget) }, action.label)),
      make("button", { type: "button", onclick: () => this.copy(this.record.execution) }, translate("c_copy")));
  }

  async request(action, button) {
    const { record } = this;
    const body = await ask(action, `${record.block} ${record.execution}`);
    if (!body) return;
    button.disabled = true;
    const answer = await this.act(record, action, body);
    button.disabled = false;
    if (!answer || this.record?.execution !== record.execution) return;
    if (action.action === "show_contents") {
      this.contents = answer;
      this.show(this.record);
    }
    if (action.action === "show_log") {
      this.log = answer;
      this.showLog();
      find("#log").scrollIntoView({ block: "nearest" });
    }
    if (answer.files) for (const [name, text] of Object.entries(answer.files)) download(name, text);
    find("#status").textContent = translate(`a_done_${answer.done}`);
  }

  async copy(text) {
    await navigator.clipboard?.writeText(text).then(() => (find("#status").textContent = translate("copied")), () => {});
  }

  showContents() {
    const area = find("#contents");
    area.hidden = !this.contents;
    if (!this.contents || area.dataset.shown === this.record.execution) return;
    area.dataset.shown = this.record.execution;
    const names = new Map(this.record.effects.map(({ position, kind }) => [position, kind]));
    const { effects, result } = this.contents;
    clear(area).append(make("h2", {}, translate("c_contents")));
    if (!effects.length && result === null) area.append(make("p", { class: "quiet" }, translate("c_no_contents")));
    for (const { position, value } of effects) area.append(make("h3", {}, names.get(position) ?? position), json(value));
    if (result !== null) area.append(make("h3", {}, translate("c_block_result")), json(result));
  }

  showLog() {
    const area = find("#log");
    area.hidden = !this.log;
    if (!this.log) return;
    const { lines } = this.log;
    clear(area).append(make("h2", {}, translate("c_log")));
    if (!lines?.length) area.append(make("p", { class: "quiet" }, translate(lines ? "c_no_log_lines" : "c_no_log")));
    const command = `grep ${this.record.execution}`;
    area.append(make("p", { class: "quiet" }, translate("c_log_kept")),
      make("p", { class: "filter" }, make("code", {}, command), make("button", { type: "button", class: "add", onclick: () => this.copy(command) }, translate("c_copy_filter"))));
    if (lines?.length) area.append(make("ol", {}, ...lines.map(logLine)));
  }
}

// Fields that each line of the execution has.
const COMMON = new Set(["execution", "block", "instance", "dialog", "vertex", "session"]);

// A line of the log: its time, level and event, then its own fields.
function logLine({ time = "", level = "info", event, exception, ...rest }) {
  const fields = Object.entries(rest).filter(([name, value]) => !COMMON.has(name) && value !== "").map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const text = [time.slice(11, 23), level, event, ...fields].filter(Boolean).join("  ");
  return make("li", { class: level }, exception ? `${text}\n${exception}` : text);
}

function download(name, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
