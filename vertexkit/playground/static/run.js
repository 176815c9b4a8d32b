// Shows one run: the dialog as a chat, the timeline, the result and the logs.
import { clear, find, formatDuration, json, make } from "./dom.js";
import { hasText, translate } from "./texts.js";

const GOOD_EVENTS = new Set(["completed", "settled"]);
const BAD_EVENTS = new Set(["parked", "send_failed", "send_outcome_unknown", "abandoned", "fenced"]);
const WARNING_EVENTS = new Set(["retried", "send_retried", "step_retried", "completion_retried", "released"]);

export class RunView {
  constructor() {
    this.chat = find("#chat");
    this.timeline = find("#timeline");
    this.result = find("#result");
    this.logs = find("#logs");
    this.show(null);
  }

  show(head, lines = []) {
    this.head = head;
    this.lines = [];
    this.claims = this.warnings = this.logged = 0;
    for (const part of [this.chat, this.timeline, this.result, this.logs, find("#chat-head")]) clear(part);
    find("#buttons").hidden = !head;
    find("#status").textContent = "";
    find("#log-count").hidden = true;
    this.result.append(make("p", { class: "quiet" }, translate("no_result")));
    this.logs.append(make("li", { class: "nothing" }, translate("no_logs")));
    if (!head) {
      this.chat.append(make("li", { class: "empty" }, translate("empty")));
      return;
    }
    const when = new Date(head.started);
    find("#chat-head").append(
      make("span", { class: "what" }, head.block), " ",
      make("span", { class: "quiet" }, `${when.toLocaleString()}${head.fault ? ` · ${translate(`f_${head.fault}`)}` : ""} · seed ${head.seed}`));
    this.chat.append(make("li", { class: "you" }, ...inputRows(head.inputs)));
    for (const line of lines) this.add(line);
  }

  typing() {
    if (this.dots?.isConnected) return;
    this.dots = make("li", { class: "bubble dots", "aria-label": "…" }, make("i"), make("i"), make("i"));
    this.put(this.dots);
  }

  add(line) {
    this.lines.push(line);
    if (line.kind === "event") this.event(line);
    else if (line.kind === "request") this.request(line);
    else if (line.kind === "log") this.log(line);
    else if (line.kind === "end") this.end(line);
  }

  event(line) {
    const values = { ...line.fields, s: line.fields.seconds?.toFixed?.(1) ?? "", n: line.fields.attempt };
    let name = `e_${line.name}`;
    if (line.name === "claimed" && ++this.claims > 1) {
      name = "e_claimed_again";
      const before = this.lines.at(-2)?.name;
      if (!WARNING_EVENTS.has(before)) this.note(translate("resumed"), "bad");
    }
    const kind = GOOD_EVENTS.has(line.name) ? "good" : BAD_EVENTS.has(line.name) ? "bad" : WARNING_EVENTS.has(line.name) ? "warn" : "";
    if (WARNING_EVENTS.has(line.name)) this.note(translate(name, values));
    const description = hasText(name) ? translate(name, values) : line.name;
    const reason = line.fields.reason;
    this.step(line.at, kind, make("span", {}, reason ? `${description}: ${reason}` : description));
  }

  request(line) {
    this.dots?.remove();
    const text = line.request?.text;
    if (line.method === "send_message" && line.processed)
      this.put(make("li", { class: "bubble" }, make("span", {}, String(text)), make("time", {}, `+${(line.at + line.seconds).toFixed(2)} ${translate("s")}`)));
    const good = line.status >= 200 && line.status < 300 && !hasNoResponse(line);
    const status = line.status === null || hasNoResponse(line) ? translate("no_answer") : line.status;
    const summary = make("summary", {}, `${translate(line.method)} → ${status} `, make("span", { class: "took" }, formatDuration(line.seconds)));
    const detail = make("details", {}, summary,
      make("p", { class: "quiet" }, `${translate("request")}: POST ${line.path}`), json({ token: "•••", ...line.request }),
      make("p", { class: "quiet" }, translate("answer") + (line.retry_after ? ` · Retry-After: ${line.retry_after}` : "")), json(line.answer));
    this.step(line.at + line.seconds, good ? "talk" : "bad", detail);
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
    this.logs.append(make("li", { class: line.level }, `+${line.at.toFixed(3)}  ${line.level}  ${line.event} ${rest}${exception ? `\n${exception}` : ""}`));
  }

  end(line) {
    this.dots?.remove();
    const completions = this.lines.filter((other) => other.method === "complete" && other.processed);
    const data = completions.at(-1)?.request?.data;
    clear(this.result).append(json(line.outcome === "rejected" ? line.answer : data));
    if (line.outcome === "rejected") this.note(translate("rejected") + rejection(line), "bad");
    else if (line.outcome === "parked") this.note(translate("parked") + line.code, "bad");
    else if (line.outcome !== "completed") this.note(translate(line.outcome), "bad");
    else if (line.code === "ok") this.note(translate("completed"), "ok");
    else this.note(`${translate("failed")}${line.code}${data?.error?.message ? `: ${data.error.message}` : ""}`, "bad");
  }

  note(text, kind = "") {
    this.put(make("li", { class: `note ${kind}` }, text));
  }

  put(item) {
    const isAtBottom = this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 80;
    this.chat.append(item);
    if (isAtBottom) this.chat.scrollTop = this.chat.scrollHeight;
  }

  step(at, kind, content) {
    const when = make("span", { class: "at" }, at < 10 ? `+${at.toFixed(3)}` : `+${at.toFixed(1)}`);
    this.timeline.append(make("li", { class: kind }, when, make("span", { class: "rail" }), make("div", { class: "step" }, content)));
  }
}

const hasNoResponse = (line) => ["half", "lost", "cut"].some((kind) => line.fault?.startsWith(kind));

function inputRows(inputs) {
  const rows = Object.entries(inputs ?? {}).map(([name, value]) =>
    make("div", {}, make("b", {}, `${name} `), typeof value === "string" ? value : JSON.stringify(value)));
  return rows.length ? rows : ["{ }"];
}

function rejection(line) {
  const errors = (line.answer?.errors ?? []).map((error) => `${(error.loc ?? []).join(".")}: ${error.msg}`);
  return errors.join("; ") || line.answer?.detail || line.code;
}
