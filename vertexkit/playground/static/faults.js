// The composer of simulated failures: rules, several at once, with a seed.
import { clear, find, make } from "./dom.js";
import { hasText, translate } from "./texts.js";

const STATUS = "status";
const KINDS = [STATUS, "slow", "lost", "cut", "half", "garbage", "gone", "crash", "duplicate"];
const METHODS = ["send_message", "complete", ""];
// The fields of a rule, by its kind: name, default, and attributes of the input.
const FIELDS = {
  [STATUS]: ["status", "retry_after", "after", "times", "probability"],
  slow: ["seconds", "after", "times", "probability"],
  crash: ["after"],
  duplicate: ["times"],
};
const DEFAULT_FIELDS = ["after", "times", "probability"];
const DEFAULTS = { status: 503, retry_after: "", seconds: 2, after: 0, times: 1, probability: 1 };
const LIMITS = {
  status: { min: 200, max: 599 }, seconds: { min: 0, step: "any" }, after: { min: 0 },
  times: { min: 0 }, probability: { min: 0, max: 1, step: 0.05 }, retry_after: { min: 0, step: "any" },
};
const kindOf = (rule) => rule.kind ?? STATUS;

// A short text for a rule: `503 ×2, message`.
function ruleText(rule) {
  const kind = kindOf(rule);
  const parts = [kind === STATUS ? String(rule.status) : translate(`k_${kind}`)];
  if (kind === "slow") parts[0] += ` ${rule.seconds} ${translate("s")}`;
  if (kind !== "crash" && rule.times === 0) parts.push(translate("r_always"));
  else if (kind !== "crash" && (rule.times ?? 1) > 1) parts.push(`×${rule.times}`);
  if (rule.after) parts.push(translate("r_after_n", { n: rule.after }));
  if ((rule.probability ?? 1) < 1) parts.push(`${Math.round(rule.probability * 100)} %`);
  if (rule.retry_after) parts.push(`Retry-After ${rule.retry_after}`);
  if (kind !== "crash" && kind !== "duplicate") parts.push(translate(rule.method ? `m_${rule.method}` : "m_any"));
  return parts.join(", ");
}

// What a run simulated, as chips.
export function faultChips(head) {
  if (head.fault && hasText(`f_${head.fault}`)) return [make("span", { class: "chip" }, translate(`f_${head.fault}`))];
  return (head.faults ?? []).map((rule) => make("span", { class: "chip" }, ruleText(rule)));
}

export class FaultComposer {
  constructor() {
    this.presets = {};
    this.rules = [];
    find("#fault").addEventListener("change", () => this.choose(find("#fault").value));
    find("#add-rule").addEventListener("click", () => {
      this.rules.push({ method: "send_message", status: 503 });
      this.show();
      find("#rules").lastElementChild?.querySelector("select")?.focus();
    });
  }

  // Takes the presets of the server; shows all texts again.
  setPresets(presets) {
    this.presets = presets;
    clear(find("#fault")).append(...["", ...Object.keys(presets), "custom"].map((name) => make("option", { value: name }, translate(`f_${name}`))));
    this.show();
  }

  choose(name) {
    if (name === "custom" && !this.rules.length) this.rules = [{ method: "send_message", status: 503 }];
    else if (name !== "custom") this.rules = structuredClone(this.presets[name] ?? []);
    this.show();
  }

  // The name of the preset that the rules equal; empty if there is none.
  get name() {
    const text = JSON.stringify(this.rules);
    return Object.keys(this.presets).find((name) => JSON.stringify(this.presets[name]) === text) ?? "";
  }

  // What a request for a run needs.
  read() {
    const seed = find("#seed").value;
    return { fault: this.name, faults: structuredClone(this.rules), seed: seed === "" ? null : Number(seed) };
  }

  write({ faults, fault, seed }) {
    this.rules = structuredClone(faults?.length ? faults : this.presets[fault] ?? []);
    find("#seed").value = seed ?? "";
    this.show();
    find("#wrong").open = this.rules.length > 0;
  }

  show() {
    clear(find("#rules")).append(...this.rules.map((rule, at) => this.row(rule, at)));
    this.showChosen();
  }

  // Shows what is chosen, and leaves the fields of the rules alone: one of them may have the focus.
  showChosen() {
    const name = this.name;
    find("#fault").value = this.rules.length ? name || "custom" : "";
    find("#fault-about").textContent = name ? translate(`d_${name}`) : "";
    find("#wrong").toggleAttribute("data-on", this.rules.length > 0);
    clear(find("#chosen")).append(...this.rules.map((rule) => make("span", { class: "chip" }, ruleText(rule))));
  }

  row(rule, at) {
    const kind = kindOf(rule);
    const select = (name, options, value, label, onchange) =>
      make("label", { class: "small" }, make("span", {}, translate(label)), make("select", { name, onchange: (event) => onchange(event.target.value) },
        ...options.map((option) => make("option", { value: option, selected: option === value }, option === STATUS ? translate("k_status") : translate(name === "kind" ? `k_${option}` : option ? `m_${option}` : "m_any")))));
    const parts = [select("kind", KINDS, kind, "r_kind", (value) => this.changeKind(at, value))];
    if (kind !== "crash" && kind !== "duplicate") parts.push(select("method", METHODS, rule.method ?? "", "r_method", (value) => this.set(at, "method", value)));
    for (const name of FIELDS[kind] ?? DEFAULT_FIELDS)
      parts.push(make("label", { class: "small" }, make("span", {}, translate(kind === "crash" ? "r_crash_after" : `r_${name}`)), make("input", {
        name, type: "number", ...Object.fromEntries(Object.entries(LIMITS[name]).map(([key, value]) => [key, String(value)])), value: String(rule[name] ?? (kind === "crash" && name === "after" ? 1 : DEFAULTS[name])),
        onchange: (event) => this.set(at, name, event.target.value),
      })));
    const remove = make("button", { type: "button", class: "clear", "aria-label": translate("remove"), title: translate("remove"), onclick: () => {
      this.rules.splice(at, 1);
      this.show();
      find("#add-rule").focus();
    } }, "✕");
    return make("fieldset", { class: "rule", "aria-label": ruleText(rule) }, ...parts, remove);
  }

  set(at, name, text) {
    const rule = { ...this.rules[at] };
    if (name === "retry_after" || name === "method") rule[name] = text;
    else rule[name] = Number(text);
    if (name !== "method" && (text === "" || (rule[name] === DEFAULTS[name] && name !== "status" && name !== "seconds"))) delete rule[name];
    this.rules[at] = rule;
    this.showChosen();
  }

  changeKind(at, kind) {
    if (kind === "crash" || kind === "duplicate") this.rules[at] = { kind };
    else this.rules[at] = { method: this.rules[at].method ?? "send_message", ...(kind === STATUS ? { status: 503 } : { kind }), ...(kind === "slow" ? { seconds: 2 } : {}) };
    this.show();
    find("#rules").children[at]?.querySelector("[name=kind]")?.focus();
  }
}
