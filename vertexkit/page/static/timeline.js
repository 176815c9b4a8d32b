// The timeline of a run as a waterfall: a row for each thing that happens, with a bar for its time.
import { clear, formatDuration, json, make } from "./dom.js";
import { makeRoving, refreshRoving } from "./tabs.js";
import { hasNoResponse, isGood, TimelineModel } from "./timeline-model.js";
import { hasText, translate } from "./texts.js";

const TICKS = 4;
const REFRESH_MILLISECONDS = 250;

export class Timeline {
  // `list` and `axis` are elements; `detail` shows the selected row; `onSelect` is called with a key.
  constructor({ list, axis, detail, onSelect = () => {} }) {
    Object.assign(this, { list, axis, detail, onSelect });
    list.addEventListener("click", (event) => {
      const row = event.target.closest("button.entry");
      if (row) this.select(row.dataset.key, true);
    });
    makeRoving(list, "button.entry");
    this.reset();
  }

  reset() {
    this.model = new TimelineModel();
    this.elements = new Map();
    this.shown = new Map(); // what of each row is shown, to find the rows that have changed
    this.selected = null;
    this.ended = false;
    this.following = false; // the run is in progress: its last row stays in view
    clearInterval(this.timer);
    this.timer = null;
    for (const part of [this.list, this.axis, this.detail]) clear(part);
    this.detail.hidden = true;
  }

  // Shows a model that was computed from everything that is known; the selection is kept.
  replace(model, ended) {
    const keys = new Set(model.rows.map((row) => row.key));
    for (const [key, element] of this.elements) {
      if (keys.has(key)) continue;
      element.remove();
      this.elements.delete(key);
      this.shown.delete(key);
    }
    this.model = model;
    this.ended = ended;
    if (this.selected && !keys.has(this.selected)) this.select(null);
    else if (this.selected) this.showDetail();
    this.schedule();
  }

  // Takes the next line of the run; returns its row.
  add(line) {
    const row = this.model.add(line);
    if (line.kind === "end") this.ended = true;
    this.schedule();
    return row;
  }

  // Lets open bars grow while the run is in progress; `now` returns the seconds since its start.
  follow(now) {
    this.following = true;
    this.now = now;
    this.timer ??= setInterval(() => {
      if (this.ended) {
        clearInterval(this.timer);
        this.timer = null;
      }
      this.schedule();
    }, REFRESH_MILLISECONDS);
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.render();
    });
  }

  render() {
    const { rows } = this.model;
    const total = Math.max(this.ended ? this.model.total : Math.max(this.model.total, this.now?.() ?? 0), 0.001);
    const isAtBottom = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    rows.forEach((row, at) => {
      let element = this.elements.get(row.key);
      if (!element) {
        element = make("li", {});
        this.elements.set(row.key, element);
      }
      if (this.list.children[at] !== element) this.list.insertBefore(element, this.list.children[at] ?? null);
    });
    for (const row of rows) {
      const content = `${row.end} ${row.state} ${row.tries.length} ${row.crashed} ${row.error?.type} ${row.timedOut} ${row.reason}`;
      if (this.shown.get(row.key) === content) continue;
      this.shown.set(row.key, content);
      this.fill(this.elements.get(row.key), row);
      if (row.key === this.selected) this.showDetail();
    }
    for (const row of rows) if (row.end === null) this.place(this.elements.get(row.key).querySelector(".track i:last-child"), row.start, total);
    this.list.style.setProperty("--total", total);
    this.showAxis(total);
    refreshRoving(this.list, "button.entry");
    if (isAtBottom && this.following) this.list.scrollTop = this.list.scrollHeight;
    if (this.ended) this.following = false;
  }

  fill(element, row) {
    const selected = row.key === this.selected;
    const duration = row.end === null || ["call", "end"].includes(row.kind) || row.end === row.start ? "" : formatDuration(row.end - row.start);
    const bar = make("span", { class: "track", "aria-hidden": "true" });
    for (const segment of segments(row)) {
      const part = make("i", { class: segment.state });
      this.place(part, segment.start, segment.end);
      bar.append(part);
    }
    const old = element.firstElementChild;
    const button = make("button", { type: "button", class: `entry kind-${row.kind} ${row.state}`, "data-key": row.key, "aria-pressed": String(selected) },
      make("span", { class: "name" }, make("span", {}, rowName(row)), ...badges(row)), bar, make("span", { class: "took" }, duration));
    button.tabIndex = old ? old.tabIndex : -1;
    const focused = old && document.activeElement === old;
    clear(element).append(button);
    element.className = row.kind === "attempt" || row.kind === "call" || row.kind === "end" ? "outer" : "inner";
    if (focused) button.focus();
  }

  place(part, start, end) {
    if (!part) return;
    part.style.setProperty("--start", start);
    part.style.setProperty("--length", Math.max(0, end - start));
  }

  showAxis(total) {
    clear(this.axis);
    for (let tick = 0; tick <= TICKS; tick++) this.axis.append(make("span", {}, formatDuration((total * tick) / TICKS)));
  }

  // Selects a row; `byUser` passes that on, so that the chat selects its bubble.
  select(key, byUser = false) {
    const same = key === this.selected && byUser;
    this.selected = same ? null : key;
    for (const button of this.list.querySelectorAll("button.entry")) button.setAttribute("aria-pressed", String(button.dataset.key === this.selected));
    this.elements.get(this.selected)?.scrollIntoView({ block: "nearest" });
    this.showDetail();
    if (byUser) this.onSelect(this.selected);
  }

  showDetail() {
    const row = this.model.find(this.selected);
    this.detail.hidden = !row;
    clear(this.detail);
    if (row) this.detail.append(make("h3", {}, rowName(row)), ...details(row));
  }
}

function rowName(row) {
  if (row.kind === "message") return row.text;
  if (row.kind === "step") return `${translate("t_step")} ${row.text}`;
  return hasText(row.label) ? translate(row.label, withDuration(row.values)) : row.label;
}

function badges(row) {
  const found = [];
  const tries = row.tries.filter((line) => line.kind === "request").length || row.tries.length + 1;
  if (tries > 1) found.push(make("span", { class: "badge warn" }, translate("t_tries", { n: tries })));
  if (row.crashed) found.push(make("span", { class: "badge bad" }, translate("t_crashed")));
  if (row.error) found.push(make("span", { class: "badge bad" }, row.error.type));
  if (row.timedOut && row.text) found.push(make("span", { class: "badge warn" }, translate("t_timed_out")));
  const failed = row.tries.filter((line) => line.kind === "request" && !isGood(line));
  for (const status of new Set(failed.map((line) => (hasNoResponse(line) ? translate("no_answer") : String(line.status))))) found.push(make("span", { class: "badge bad" }, status));
  return found.slice(0, 4);
}

function segments(row) {
  const requests = row.tries.filter((line) => line.kind === "request");
  if (!requests.length) return [{ start: row.start, end: row.end ?? row.start, state: row.state }];
  const whole = { start: row.start, end: row.end ?? row.start, state: "pause" };
  return [whole, ...requests.map((line) => ({ start: line.at, end: line.at + line.seconds, state: isGood(line) ? row.state : "bad" }))];
}

// What is known of a row, side by side where there is a question and an answer.
function details(row) {
  const parts = [make("p", { class: "quiet" }, `${translate("t_start")} +${formatDuration(row.start)}${row.end > row.start ? ` · ${formatDuration(row.end - row.start)}` : ""}`)];
  for (const line of row.tries) parts.push(line.kind === "request" ? exchange(line) : make("p", { class: "quiet" }, retryText(line)));
  if (row.reason) parts.push(make("p", { class: "error" }, row.reason));
  if (row.error) parts.push(errorCard(row.error));
  const { args, kwargs, result, error, fields, data, answer } = row.detail;
  if (args) {
    const after = error ? errorCard(error) : row.end === null ? translate("t_running") : "result" in row.detail ? json(result) : translate("t_interrupted");
    parts.push(sides(translate("t_arguments"), json(Object.keys(kwargs).length ? { args, kwargs } : args), translate("result"), after));
  }
  if (data !== undefined) parts.push(sides(translate("t_waited_for"), make("p", {}, row.text), translate("t_event_data"), json(data)));
  if (answer) parts.push(json(answer));
  if (fields && !args && data === undefined && Object.keys(fields).length) parts.push(json(without(fields, "schema", "position")));
  return parts;
}
const without = (object, ...names) => Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

function exchange(line) {
  const status = hasNoResponse(line) ? translate("no_answer") : line.status;
  const answer = `${translate("answer")} ${status} · ${formatDuration(line.seconds)}${line.retry_after ? ` · Retry-After: ${line.retry_after}` : ""}`;
  return sides(`${translate("request")} POST ${line.path}`, json({ token: "•••", ...line.request }), answer, json(line.answer));
}

function sides(title, left, otherTitle, right) {
  return make("div", { class: "sides" }, make("div", {}, make("p", { class: "quiet" }, title), left), make("div", {}, make("p", { class: "quiet" }, otherTitle), right));
}

// The text of an event of the execution.
export const eventText = (name, fields) => translate(`e_${name}`, withDuration(fields));
const withDuration = (values) => (values.seconds === undefined ? values : { ...values, s: formatDuration(values.seconds) });

function retryText(line) {
  const text = hasText(`e_${line.name}`) ? eventText(line.name, line.fields) : line.name;
  return line.fields.reason && line.name !== "step_retried" ? `${text}: ${line.fields.reason}` : text;
}

// An error of the author's code: the message, the place, the author's own frames.
export function errorCard(error) {
  const last = error.frames?.at(-1);
  const card = make("div", { class: "error-card" },
    make("strong", {}, errorTitle(error)),
    error.hint ? make("p", { class: "hint" }, hintText(error.hint)) : null);
  if (last) card.append(make("p", { class: "mono place" }, place(last)), make("pre", {}, last.code));
  const outer = (error.frames ?? []).slice(0, -1);
  if (outer.length)
    card.append(make("details", {}, make("summary", {}, translate("called_from")),
      ...outer.reverse().map((frame) => make("pre", {}, `${place(frame)}\n    ${frame.code}`))));
  return card;
}
export const errorTitle = (error) => (error.message ? `${error.type}: ${error.message}` : error.type);
export const place = (frame) => `${frame.file}:${frame.line} ${translate("in_function", { name: frame.function })}`;
const hintText = (hint) => hint.replace(/^Did you mean (.*)\?$/, (_, name) => translate("did_you_mean", { name }));
