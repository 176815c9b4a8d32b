// Shows one run: the dialog as a chat, its waits, the timeline, the result and the logs.
import { clear, find, formatDuration, json, make } from "./dom.js";
import { faultChips } from "./faults.js";
import { text } from "./fields.js";
import { fieldProblems, problemText } from "./problems.js";
import { translate } from "./texts.js";
import { errorCard, errorTitle, eventText, place, Timeline } from "./timeline.js";
import { Waits } from "./waits.js";

const NOTES = new Set(["retried", "send_retried", "step_retried", "completion_retried", "released", "deduplicated", "time_skipped"]);

export class RunView {
  constructor() {
    this.chat = find("#chat");
    this.result = find("#result");
    this.logs = find("#logs");
    this.timeline = new Timeline({ list: find("#rows"), axis: find("#axis"), detail: find("#detail"), onSelect: (key) => this.selectBubble(key) });
    this.waits = new Waits(find("#waits"));
    this.chat.addEventListener("click", (event) => {
      const bubble = event.target.closest("[data-key]");
      if (!bubble || getSelection().toString()) return;
      this.timeline.select(bubble.dataset.key === this.timeline.selected ? null : bubble.dataset.key);
      this.selectBubble(this.timeline.selected);
      document.getElementById("tab-timeline").click();
    });
    this.show(null);
  }

  // `active`: the run has not ended, and `vertexkit dev` still knows it.
  show(head, lines = [], active = false) {
    Object.assign(this, { head, lines: [], active, claims: 0, warnings: 0, logged: 0, error: null, waited: new Set() });
    for (const part of [this.chat, this.result, this.logs, find("#chat-head")]) clear(part);
    find("#run-error").hidden = true;
    this.timeline.reset();
    const start = Date.parse(head?.started);
    const now = () => (Date.now() - start) / 1000;
    this.waits.reset(head?.id, now);
    find("#buttons").hidden = !head;
    find("#status").textContent = "";
    find("#log-count").hidden = true;
    if (find("#tab-replay").getAttribute("aria-selected") === "true") find("#tab-timeline").click();
    find("#tab-replay").hidden = true;
    this.result.append(make("p", { class: "quiet" }, translate("no_result")));
    this.logs.append(make("li", { class: "nothing" }, translate("no_logs")));
    if (!head) {
      this.chat.append(make("li", { class: "empty" }, translate("empty")));
      find("#rows").append(make("li", { class: "empty" }, translate("empty_timeline")));
      return;
    }
    this.outcome = make("span", { class: "outcome" });
    find("#chat-head").append(
      make("span", { class: "what" }, head.block), this.outcome,
      make("span", { class: "quiet" }, `${new Date(head.started).toLocaleString(document.documentElement.lang)} · ${translate("seed")} ${head.seed}`),
      ...faultChips(head));
    this.chat.append(make("li", { class: "you" }, ...inputRows(head.inputs)));
    this.showOutcome(active ? "now" : "", translate(active ? "running" : "interrupted"));
    for (const line of lines) this.add(line);
    if (active) this.timeline.follow(now);
    this.showButtons();
  }

  typing() {
    if (this.dots?.isConnected) return;
    this.dots = make("li", { class: "bubble dots", "aria-label": translate("typing") }, make("i"), make("i"), make("i"));
    this.put(this.dots);
  }

  add(line) {
    this.lines.push(line);
    const row = this.timeline.add(line);
    this.waits.add(line);
    if (line.kind === "event") this.event(line);
    else if (line.kind === "request") this.request(line, row);
    else if (line.kind === "log") this.log(line);
    else if (line.kind === "end") this.end(line);
  }

  event(line) {
    if (line.name === "claimed") {
      const before = this.lines.findLast((other) => ["suspended", "retried", "released", "claimed"].includes(other.name) && other !== line)?.name;
      if (++this.claims > 1 && before === "claimed") this.note(translate("resumed"), "bad");
    } else if (line.name === "handler_raised") this.showError(line.fields.error);
    else if (line.name === "waiting" && line.fields.seconds > 1 && !this.waited.has(line.fields.position) && this.waited.add(line.fields.position)) this.note(translate(line.fields.event ? "n_waiting" : "n_sleeping", { event: line.fields.event, time: formatDuration(line.fields.seconds) }));
    else if (line.name === "waited" && "data" in line.fields) this.put(make("li", { class: "you event" }, make("b", {}, translate("n_event", line.fields)), ...inputRows(line.fields.data)));
    else if (NOTES.has(line.name)) this.note(eventText(line.name, line.fields));
  }

  request(line, row) {
    this.dots?.remove();
    if (line.method !== "send_message" || !line.processed) return;
    const bubble = make("li", { class: "bubble", "data-key": row.key },
      make("span", {}, String(line.request?.text)), make("time", {}, `+${formatDuration(line.at + line.seconds)}`));
    this.put(bubble);
  }

  // The author's error: a card in the dialog, and a line on top of it.
  showError(error) {
    this.error = error;
    const last = error.frames?.at(-1);
    this.put(make("li", { class: "failure", "data-key": this.timeline.model.attempt?.key ?? "" }, errorCard(error)));
    clear(find("#run-error")).append(make("strong", {}, errorTitle(error)), " ", make("span", { class: "mono" }, last ? place(last) : ""));
    find("#run-error").hidden = false;
  }

  log(line) {
    this.logs.querySelector(".nothing")?.remove();
    const bad = !["debug", "info"].includes(line.level);
    this.warnings += bad;
    const count = find("#log-count");
    count.hidden = false;
    count.textContent = String(++this.logged);
    count.className = this.warnings ? "badge bad" : "badge";
    const { exception, ...fields } = line.fields;
    const rest = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(" ");
    this.logs.append(make("li", { class: line.level }, `+${formatDuration(line.at)}  ${line.level}  ${line.event} ${rest}${exception ? `\n${exception}` : ""}`));
    if (line.event === "loop_blocked") this.put(make("li", { class: "note bad" }, eventText(line.event, fields)));
  }

  end(line) {
    this.dots?.remove();
    this.active = false;
    const completions = this.lines.filter((other) => other.method === "complete" && other.processed);
    const data = completions.at(-1)?.request?.data;
    clear(this.result).append(json(line.outcome === "rejected" ? line.answer : data));
    const took = ` · ${formatDuration(line.at)}`;
    if (line.outcome === "completed" && line.code === "ok") {
      this.note(translate("completed"), "ok");
      this.showOutcome("ok", translate("o_ok") + took);
    } else {
      const reason = failureText(line, data, this.error);
      this.note(reason, "bad");
      this.showOutcome("bad", translate(line.outcome === "completed" ? "o_failed" : `o_${line.outcome}`, line) + took);
      if (!this.error) {
        find("#run-error").textContent = reason;
        find("#run-error").hidden = false;
      }
    }
    this.showButtons();
  }

  showOutcome(kind, text) {
    this.outcome.className = `outcome ${kind}`;
    this.outcome.textContent = text;
  }

  showButtons() {
    this.followEnd();
    for (const button of find("#buttons").querySelectorAll("button")) button.hidden = button.dataset.when === "active" ? !this.active : button.dataset.when === "ended" && !this.lines.some((line) => line.kind === "end");
  }

  // The dialog as Markdown, for an issue or a message.
  transcript() {
    const lines = [`# ${this.head.block}`, "", `${this.head.started} · ${this.outcome.textContent}`, "", "```json", JSON.stringify(this.head.inputs, null, 2), "```"];
    for (const item of this.chat.children) {
      const text = (item.querySelector("span") ?? item).textContent.trim();
      if (item.matches(".bubble")) lines.push("", `**bot:** ${text}`);
      else if (item.matches(".note, .failure, .event")) lines.push("", `> ${item.innerText.trim().replaceAll("\n", "\n> ")}`);
    }
    return lines.join("\n");
  }

  // Shows how a replay of this run on the current code differs.
  showReplay(replay) {
    const panel = clear(find("#replay"));
    panel.append(make("p", { class: replay.same ? "outcome ok" : "outcome bad" }, translate(replay.same ? "same" : "differs")));
    if (!replay.same)
      panel.append(make("pre", { class: "diff" }, ...replay.difference.slice(2).map((line) =>
        make("span", { class: line[0] === "+" ? "added" : line[0] === "-" ? "removed" : line[0] === "@" ? "quiet" : "" }, `${line}\n`))));
    panel.append(make("h3", {}, translate("replay_messages")), make("ol", { class: "plain" }, ...replay.messages.map((text) => make("li", { class: "bubble" }, text))));
    find("#tab-replay").hidden = false;
    find("#tab-replay").click();
  }

  selectBubble(key) {
    for (const bubble of this.chat.querySelectorAll("[data-key]")) {
      const selected = Boolean(key) && bubble.dataset.key === key;
      bubble.classList.toggle("selected", selected);
      if (selected) bubble.scrollIntoView({ block: "nearest" });
    }
  }

  note(text, kind = "") {
    this.put(make("li", { class: `note ${kind}` }, text));
  }

  // Appends to the dialog. Its end stays in view if it was: that is checked once for each frame,
  // because it lets the browser lay out the whole dialog.
  put(item) {
    this.followEnd();
    this.chat.append(item);
  }

  followEnd() {
    if (this.frame) return;
    const isAtBottom = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 80;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      if (isAtBottom) this.chat.scrollTop = this.chat.scrollHeight;
    });
  }
}

function failureText(line, data, error) {
  if (line.outcome === "rejected") return translate("rejected") + rejection(line);
  if (line.outcome === "parked") return translate("parked") + line.code;
  if (line.outcome !== "completed") return translate(line.outcome);
  const reason = error ? "" : problemText(data?.error?.message) ?? ""; // the error is shown above
  return `${translate("failed")}${line.code}${reason ? `: ${reason}` : ""}`;
}

function inputRows(inputs) {
  const rows = Object.entries(inputs ?? {}).map(([name, value]) =>
    make("div", {}, make("b", {}, `${name} `), text(value)));
  return rows.length ? rows : ["{ }"];
}

function rejection(line) {
  return fieldProblems(line.answer?.errors).join("; ") || problemText(line.answer?.detail) || line.code;
}
