// The rows of a timeline, computed from the lines of a recorded run, in the order of their start.
//
// A row has `key`, `kind` (call, attempt, message, completion, step, wait, pause, note, end), `state`
// (good, bad, warn, talk, open or empty), `start`, `end` (null while it is open), `text` or `label`
// (a name of a text, with `values`), and `detail`: what is shown when it is selected.
const CLOSES_ATTEMPT = { suspended: "", released: "warn", retried: "warn", result_recorded: "good" };

const QUIET_NOTES = new Set(["time_skipped", "deduplicated", "memory_read", "memory_changed"]);

export class TimelineModel {
  constructor() {
    this.rows = [];
    this.total = 0;
    this.attempts = 0;
    this.counts = {};
    this.messages = []; // rows whose message is not confirmed yet
    this.completion = this.attempt = null;
    this.steps = new Map();
    this.waits = new Map();
  }

  // Takes the next line; returns the row that it created or changed, if any.
  add(line) {
    const end = line.at + (line.seconds ?? 0);
    this.total = Math.max(this.total, end);
    if (line.kind === "request") return line.method === "complete" ? this.complete(line, end) : this.message(line, end);
    if (line.kind === "event") return this.event(line);
    if (line.kind === "log") return this.log(line);
    if (line.kind === "end" && line.outcome === "rejected")
      return this.row("end", line.at, { end: line.at, state: "bad", label: "t_rejected", detail: { answer: line.answer } });
    return null;
  }

  row(kind, start, fields) {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    const row = { key: `${kind}-${this.counts[kind]}`, kind, start, end: null, state: "", tries: [], detail: {}, values: {}, ...fields };
    let at = this.rows.length;
    while (at > 0 && this.rows[at - 1].start > start) at--;
    this.rows.splice(at, 0, row);
    return row;
  }

  message(line, end) {
    const text = String(line.request?.text ?? "");
    let row = this.messages.find((each) => each.text === text);
    if (!row) {
      row = this.row("message", line.at, { text, state: "open" });
      this.messages.push(row);
    }
    row.tries.push(line);
    row.end = end;
    row.state = isGood(line) ? "talk" : line.processed ? "warn" : "bad";
    if (line.processed) this.messages = this.messages.filter((each) => each !== row);
    return row;
  }

  complete(line, end) {
    const row = (this.completion ??= this.row("completion", line.at, { label: "t_completion" }));
    row.tries.push(line);
    row.end = end;
    row.state = isGood(line) ? "good" : "bad";
    return row;
  }

  event(line) {
    const { name, at, fields } = line;
    if (name in CLOSES_ATTEMPT) this.closeAttempt(at, CLOSES_ATTEMPT[name]);
    switch (name) {
      case "accepted":
        return this.row("call", at, { end: at, label: "t_call", detail: { fields } });
      case "claimed":
        return this.claim(at, fields);
      case "handler_raised":
        if (!this.attempt) return null;
        this.attempt.error = fields.error;
        return this.attempt;
      case "result_recorded":
        if (this.last && fields.code !== "ok") this.last.state = "bad";
        return this.last;
      case "retried":
        return (this.pause = this.row("pause", at, { state: "warn", label: "t_pause", values: fields, detail: { fields } }));
      case "send_retried":
      case "completion_retried":
        return this.pauseOf(name === "send_retried" ? this.messages.at(-1) : this.completion, line);
      case "send_failed":
        return this.failMessage(at, fields);
      case "step_started":
        return this.startStep(at, fields);
      case "step_ended":
        return this.endStep(at, fields);
      case "step_retried":
        return this.retryStep(line);
      case "waiting":
        return this.wait(at, fields);
      case "waited":
        return this.endWait(at, fields);
      case "deduplicated":
      case "effect_changed":
      case "event_discarded":
      case "send_outcome_unknown":
      case "parked":
      case "fenced":
      case "abandoned":
      case "time_skipped":
      case "memory_read":
      case "memory_changed":
        return this.row("note", at, { end: at, state: name === "parked" ? "bad" : QUIET_NOTES.has(name) ? "" : "warn", label: `e_${name}`, values: fields, detail: { fields } });
      case "settled":
        return this.settle(at, fields);
      default:
        return null;
    }
  }

  log(line) {
    if (line.event !== "loop_blocked") return null;
    const start = Math.max(0, line.at - (line.fields.seconds ?? 0));
    return this.row("note", start, { end: line.at, state: "bad", label: "e_loop_blocked", values: line.fields, detail: { fields: line.fields } });
  }

  claim(at, fields) {
    if (this.attempt) {
      this.attempt.crashed = true;
      for (const step of this.steps.values()) Object.assign(step, { end: at, state: "bad" });
      this.steps.clear();
      this.closeAttempt(at, "bad");
    }
    if (this.pause) this.pause.end = at;
    this.pause = null;
    this.attempts++;
    this.attempt = this.last = this.row("attempt", at, { state: "open", label: "t_attempt", values: { n: this.attempts }, detail: { fields } });
    return this.attempt;
  }

  closeAttempt(at, state) {
    if (!this.attempt) return;
    Object.assign(this.attempt, { end: at, state: this.attempt.error ? "bad" : state });
    this.attempt = null;
  }

  pauseOf(row, line) {
    if (!row) return null;
    row.tries.push(line);
    row.end = Math.max(row.end ?? 0, line.at);
    return row;
  }

  failMessage(at, fields) {
    const row = this.messages.pop();
    if (!row) return null;
    Object.assign(row, { end: at, state: "bad", reason: fields.reason });
    return row;
  }

  startStep(at, fields) {
    const row = this.row("step", at, { state: "open", text: fields.step, detail: { args: fields.args ?? [], kwargs: fields.kwargs ?? {} } });
    this.steps.set(fields.position, row);
    return row;
  }

  endStep(at, fields) {
    const row = this.steps.get(fields.position);
    if (!row) return null;
    this.steps.delete(fields.position);
    row.end = at;
    row.state = fields.error ? "bad" : "good";
    Object.assign(row.detail, "error" in fields ? { error: fields.error } : { result: fields.result });
    return row;
  }

  retryStep(line) {
    const row = [...this.steps.values()].find((each) => each.text === line.fields.step);
    row?.tries.push(line);
    return row ?? null;
  }

  wait(at, fields) {
    let row = this.waits.get(fields.position);
    if (!row) {
      row = this.row("wait", at, { state: "open", text: fields.event, label: fields.event ? "t_wait" : "t_sleep", values: fields, detail: { fields } });
      this.waits.set(fields.position, row);
    }
    return row;
  }

  endWait(at, fields) {
    const row = this.waits.get(fields.position);
    if (!row) return null;
    Object.assign(row, { end: at, state: "data" in fields || !fields.event ? "good" : "warn", timedOut: !("data" in fields) });
    if ("data" in fields) row.detail.data = fields.data;
    return row;
  }

  settle(at, fields) {
    for (const row of this.rows) if (row.end === null) row.end = at;
    const good = fields.outcome === "completed" && fields.code === "ok";
    return this.row("end", at, { end: at, state: good ? "good" : "bad", label: good ? "t_ended" : fields.outcome === "completed" ? "o_failed" : `o_${fields.outcome}`, values: fields, detail: { fields } });
  }

  find(key) {
    return this.rows.find((row) => row.key === key);
  }
}

const BROKEN = ["half", "lost", "cut"];
export const hasNoResponse = (line) => line.status === null || BROKEN.some((kind) => line.fault?.startsWith(kind));
export const isGood = (line) => line.status >= 200 && line.status < 300 && !hasNoResponse(line);
