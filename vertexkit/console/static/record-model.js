// The rows of the timeline of an execution, computed from what the journal keeps of it.
import { TimelineModel } from "./timeline-model.js";

const STATES = { confirmed: "good", rejected: "bad", unknown: "warn", intended: "open" };
const ENDS_RUN = { lease_expired: "bad", released: "warn", retried: "warn" };
const BY_OPERATOR = ["retried_by_operator", "dropped_by_operator"];

export class RecordModel extends TimelineModel {
  // `record` is an execution of the API; `contents` are the values of its effects by position, if they were asked for.
  constructor(record, contents = new Map()) {
    super();
    this.record = record;
    this.contents = contents;
    this.zero = record.accepted_at;
    this.addAll();
    for (const row of this.rows) this.total = Math.max(this.total, row.end ?? row.start);
  }

  since(time) {
    return Math.max(0, time - this.zero);
  }

  addAll() {
    const { record } = this;
    this.row("call", 0, { end: 0, label: "t_call" });
    this.addRuns();
    for (const effect of record.effects) this.addEffect(effect);
    for (const event of record.history) this.addHistory(event);
    if (record.result_recorded_at) this.point("note", record.result_recorded_at, { state: record.code && record.code !== "ok" ? "bad" : "good", label: "h_result", values: { code: record.code ?? "ok" } });
    if (record.completion_tried_at) {
      const isOpen = record.phase === "completing";
      this.row("completion", this.since(record.completion_tried_at), {
        end: isOpen ? null : this.since(record.ended_at ?? record.completion_tried_at),
        state: isOpen ? "open" : record.confirmed_by ? "good" : "bad", label: "h_completion", values: { n: record.completion_tries } });
    }
    if (record.outcome) this.addEnd();
  }

  addEnd() {
    const { outcome, code, reason, confirmed_by: confirmedBy, ended_at: ended } = this.record;
    const failed = outcome === "completed" && code !== "ok";
    this.point("end", ended, {
      state: outcome === "completed" && !failed ? "good" : "bad",
      label: failed ? "s_one_failed" : `s_one_${outcome}`, values: { code }, reason: reason || undefined,
      detail: { fields: { outcome, code, ...(confirmedBy ? { confirmed_by: confirmedBy } : {}) } } });
  }

  // The runs of the handler: each ends by what is known to end it, or by the start of the next one.
  addRuns() {
    const { record } = this;
    if (!record.claimed_at) return;
    const claims = record.history.filter(({ event }) => event === "claimed");
    const starts = [{ at: record.claimed_at, detail: "" }, ...claims].map((claim, index) => ({ ...claim, n: Number(/run (\d+)/.exec(claim.detail)?.[1] ?? index + 1) }));
    starts.forEach((run, index) => {
      const next = starts[index + 1]?.at ?? Infinity;
      const ends = record.history.filter(({ event, at }) => event in ENDS_RUN && at >= run.at && at <= next).map(({ event, at }) => ({ at, state: ENDS_RUN[event] }));
      for (const time of [record.result_recorded_at, record.ended_at]) if (time && time >= run.at && time <= next) ends.push({ at: time, state: "good" });
      const isLast = index === starts.length - 1;
      const waits = record.effects.filter(({ kind, began }) => isWait(kind) && began >= run.at && began <= next);
      if (waits.length && (!isLast || record.phase === "suspended")) ends.push({ at: waits.at(-1).began, state: "" });
      if (!isLast) ends.push({ at: next, state: "" });
      const end = ends.sort((one, other) => one.at - other.at)[0];
      const isOpen = !end && record.phase === "running";
      this.row("attempt", this.since(run.at), {
        end: isOpen ? null : this.since(end?.at ?? run.at), state: isOpen ? "open" : (end?.state ?? ""),
        label: index > 0 && starts[index - 1].n === run.n ? "h_resumed" : "h_run", values: { n: run.n }, reason: run.detail || undefined });
    });
  }

  addEffect(effect) {
    const { kind, state, began, ended, position } = effect;
    const value = this.contents.get(position);
    const fields = { start: this.since(began), end: ended === null ? null : this.since(ended), state: STATES[state] };
    if (ended === null && this.record.outcome) fields.end = fields.start;
    const detail = { fields: { position, state, ...(value === undefined ? {} : { value }) } };
    const add = (rowKind, more) => this.row(rowKind, fields.start, { ...fields, detail, ...more });
    const name = kind.slice(kind.indexOf(":") + 1);
    if (kind === "send") {
      const label = { confirmed: effect.message_id ? "h_message" : "h_message_new", unknown: "h_message_unknown", rejected: "h_message_failed" }[state] ?? "h_message_new";
      add("text", { label, values: { n: effect.message_id }, state: state === "confirmed" ? "talk" : fields.state });
    } else if (kind === "sleep") add("wait", { label: "t_sleep" });
    else if (kind.startsWith("wait:")) add("wait", { label: "t_wait", values: { event: name } });
    else if (kind.startsWith("event:")) add("note", { label: state === "confirmed" ? "h_event" : "h_event_discarded", values: { name }, end: fields.start });
    else if (kind.startsWith("memory.")) add("note", { label: "h_memory", values: { name: kind.slice("memory.".length) }, state: "" });
    else if (kind === "or_say") add("note", { label: "h_or_say", state: "" });
    else add("step", { text: name });
  }

  addHistory({ event, at, detail }) {
    if (event === "claimed") return;
    const byOperator = BY_OPERATOR.includes(event);
    this.point(byOperator ? "operator" : "note", at, { state: byOperator ? "talk" : (ENDS_RUN[event] ?? ""), label: `h_${event}`, reason: detail || undefined });
  }

  point(kind, time, fields) {
    const at = this.since(time);
    return this.row(kind, at, { end: at, ...fields });
  }
}
const isWait = (kind) => kind === "sleep" || kind.startsWith("wait:");
