// How executions are named and marked, and what an operator can do with them.
import { formatDuration } from "./dom.js";
import { translate } from "./texts.js";

export const STATES = ["", "waiting", "running", "suspended", "completing", "parked", "ended"];

// The state in words, and its mark: ok, bad, now or empty.
export function stateOf({ phase, outcome, code }) {
  if (!outcome) return { text: translate(`s_one_${phase}`), mark: phase === "running" || phase === "completing" ? "now" : "" };
  if (outcome === "completed" && code !== "ok") return { text: translate("s_one_failed", { code }), mark: "bad" };
  return { text: translate(`s_one_${outcome}`, { code }), mark: outcome === "completed" ? "ok" : "bad" };
}

// What an execution that has not ended waits for.
export function waitOf(execution, now) {
  const time = formatDuration(Math.max(0, (execution.due_at ?? now) - now));
  if (execution.limited_by) return translate("c_waits_limit", { limit: execution.limited_by });
  if (execution.phase === "suspended" && execution.waits_for.length) return translate("c_waits_event", { events: execution.waits_for.join(", "), time });
  if (execution.phase === "suspended") return translate("c_waits_time", { time });
  if (execution.phase === "running") return translate("c_worker_is", { worker: execution.worker });
  if (execution.due_at) return translate("c_runs_again", { time });
  return translate(execution.has_result ? "c_sending" : "c_waits_handler");
}

// One sentence on the state of an execution: what it waits for, or what an operator should do.
export function adviceOf(execution, now) {
  if (!execution.outcome) return waitOf(execution, now);
  if (execution.outcome !== "parked") return "";
  return translate(execution.retryable ? "c_dialog_waits" : "c_continues");
}

const UNITS = [[86_400, "d"], [3600, "h"], [60, "min"]];
// How long ago something was, in its largest unit.
export function ago(time, now) {
  const seconds = Math.max(0, Math.round(now - time));
  const [size, unit] = UNITS.find(([length]) => seconds >= length) ?? [1, "s"];
  return translate(seconds ? "c_ago" : "c_now", { time: `${Math.floor(seconds / size)} ${translate(unit)}` });
}

// The actions that the journal would accept: name, text of the button, question, consequence, body.
export function actionsOf(execution) {
  const found = [];
  const { phase, outcome, retryable, has_result: hasResult } = execution;
  const isParked = outcome === "parked" && retryable;
  for (const event of outcome ? [] : execution.waits_for)
    found.push({ action: "send_event", label: translate("a_event", { name: event }), question: "a_event_ask", texts: ["a_event_text"], event });
  if (isParked) {
    found.push({ action: "retry", label: translate("a_retry"), question: "a_retry_ask", texts: [hasResult ? "a_retry_result" : "a_retry_handler"], body: { fresh: false } });
    found.push({ action: "retry", label: translate("a_fresh"), question: "a_fresh_ask", texts: ["a_fresh_text"], body: { fresh: true }, danger: true });
  }
  if (isParked || (!outcome && phase !== "running"))
    found.push({ action: "drop", label: translate("a_drop"), question: "a_drop_ask", texts: [isParked ? "a_drop_parked" : phase === "completing" ? "a_drop_completing" : "a_drop_waiting"], danger: true });
  return found;
}
export const contentsAction = () => ({ action: "show_contents", label: translate("a_contents"), question: "a_contents_ask", texts: ["a_contents_text"] });
export const logAction = () => ({ action: "show_log", label: translate("a_log"), question: "a_log_ask", texts: ["a_log_text"] });
export const testAction = () => ({ action: "save_test", label: translate("test"), question: "a_test_ask", texts: ["a_test_text"] });

// Whether an execution is worth a test: it failed, was parked, or its dialog is gone.
export const hasFailed = ({ outcome, code }) => Boolean(outcome) && code !== "ok";
