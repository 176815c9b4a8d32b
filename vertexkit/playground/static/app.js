// The page of the playground. The server sends what it shows, and does what it requests.
import { clear, find, make } from "./dom.js";
import { Form } from "./form.js";
import { RunView } from "./run.js";
import { currentLanguage, hasText, setLanguage, translate } from "./texts.js";

const form = new Form(find("#inputs"));
const view = new RunView();
let state = { phase: "starting", blocks: [], faults: [] };
let current = null; // id of the run that is shown
let pending = null; // lines that arrive while that run is being fetched
let rawJson = false; // the inputs come from the JSON tab
let runs = [];

const block = () => state.blocks.find((candidate) => candidate.name === find("#block").value);
const inputsKey = (name) => `inputs:${state.target}:${name}`;

async function request(path, options = {}) {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const response = await fetch(path, { ...options, body, headers: body ? { "Content-Type": "application/json" } : {} });
  if (response.status === 204) return null;
  const content = await response.json();
  if (!response.ok) throw new Error(content.detail ?? response.statusText);
  return content;
}

// Language and theme ----------------------------------------------------------------------------

function showTexts() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = translate(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", translate(element.dataset.label));
  find("#language").textContent = translate("other");
  find("#theme").textContent = translate(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  showFaults();
  showPhase();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
}
theme(localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

find("#theme").addEventListener("click", () => {
  theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  showTexts();
});
find("#language").addEventListener("click", () => {
  setLanguage(currentLanguage() === "ru" ? "en" : "ru");
  showTexts();
  const inputs = form.read();
  showBlocks();
  form.write(inputs);
  showHistory();
  if (current) open(current);
  else view.show(null);
});

// The app: its phase, its blocks ----------------------------------------------------------------

function showPhase() {
  const shown = find("#phase");
  shown.className = `phase ${state.phase}`;
  shown.textContent = hasText(state.phase) ? translate(state.phase) : state.phase;
  find("#target").textContent = state.target ?? "";
  const problem = find("#problem");
  problem.hidden = state.phase !== "broken";
  if (problem.hidden) return;
  const { error, place, source, traceback } = state.problem;
  problem.querySelector("h2").textContent = place || translate("broken");
  problem.querySelector("p").textContent = error;
  problem.querySelector("code").textContent = source ?? "";
  problem.querySelector("pre").textContent = traceback ?? "";
  problem.querySelector(".hint").textContent = translate("fix");
}

function showBlocks() {
  const chosen = find("#block").value || localStorage.getItem("block");
  clear(find("#block")).append(...state.blocks.map(({ name, title }) =>
    make("option", { value: name }, title && title !== name ? `${title} (${name})` : name)));
  if (state.blocks.some(({ name }) => name === chosen)) find("#block").value = chosen;
  showBlock();
}

function showBlock() {
  const chosen = block();
  find("#about").textContent = chosen?.description ?? "";
  if (!chosen) return;
  localStorage.setItem("block", chosen.name);
  form.show(chosen.input);
  const kept = localStorage.getItem(inputsKey(chosen.name));
  if (kept) fillIn(JSON.parse(kept));
  else find("#json").value = JSON.stringify(form.read(), null, 2);
}

function fillIn(inputs) {
  form.write(inputs);
  find("#json").value = JSON.stringify(inputs, null, 2);
}

function showFaults() {
  const select = find("#fault"), chosen = select.value;
  clear(select).append(...["", ...(state.faults ?? [])].map((name) => make("option", { value: name }, translate(`f_${name}`))));
  select.value = chosen;
  showFault();
}

function showFault() {
  const name = find("#fault").value;
  find("#fault-about").textContent = translate(`d_${name}`);
  find("#after-field").hidden = name !== "crash";
  find("#wrong").toggleAttribute("data-on", Boolean(name));
}

// Runs ------------------------------------------------------------------------------------------

function readInputs() {
  if (!rawJson) {
    const missing = form.missing();
    if (missing.length) throw new Error(translate("fill") + missing.join(", "));
    return form.read();
  }
  let read;
  try {
    read = JSON.parse(find("#json").value || "{}");
  } catch (error) {
    throw new Error(translate("bad_json") + error.message);
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) throw new Error(translate("must_object"));
  return read;
}

async function start(name, inputs) {
  find("#call-error").textContent = "";
  find("#run").disabled = true;
  try {
    const body = { block: name, inputs, fault: find("#fault").value, after: Number(find("#after").value) || 1 };
    current = (await request("/playground/runs", { method: "POST", body })).run;
    localStorage.setItem(inputsKey(name), JSON.stringify(inputs));
    await open(current);
    await showHistory();
    if (matchMedia("(max-width: 760px)").matches) find("#chat-head").scrollIntoView({ behavior: "smooth" });
  } catch (error) {
    find("#call-error").textContent = error.message;
  } finally {
    find("#run").disabled = false;
  }
}

async function open(run) {
  current = run;
  const newer = (pending = []);
  const found = await request(`/playground/runs/${encodeURIComponent(run)}`);
  if (current !== run || pending !== newer) return;
  pending = null;
  view.show(found.run, found.lines);
  for (const line of newer.slice(overlap(found.lines, newer))) view.add(line);
  markCurrent();
}

// How many of the first newer lines are already at the end of the fetched ones.
function overlap(lines, newer) {
  for (let size = Math.min(lines.length, newer.length); size > 0; size--)
    if (JSON.stringify(lines.slice(-size)) === JSON.stringify(newer.slice(0, size))) return size;
  return 0;
}

async function showHistory() {
  runs = await request("/playground/runs");
  const list = clear(find("#history"));
  if (!runs.length) list.append(make("li", { class: "quiet" }, translate("none")));
  for (const run of runs) {
    const kind = !run.outcome ? "now" : run.code === "ok" ? "ok" : "bad";
    const inputs = Object.values(run.inputs).map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(", ");
    list.append(make("li", {}, make("button", { type: "button", "data-run": run.id, onclick: () => open(run.id) },
      make("span", { class: `mark ${kind}` }),
      make("span", { class: "what" }, `${run.block} ${inputs}`),
      make("span", { class: "quiet" }, new Date(run.started).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })))));
  }
  markCurrent();
}

function markCurrent() {
  for (const button of find("#history").querySelectorAll("button")) button.toggleAttribute("aria-current", button.dataset.run === current);
}

const actions = {
  again: () => start(view.head.block, view.head.inputs),
  edit: () => {
    find("#block").value = view.head.block;
    showBlock();
    fillIn(view.head.inputs);
    find("#inputs").querySelector("input, select, textarea")?.focus();
  },
  test: async () => {
    const saved = await request(`/playground/runs/${encodeURIComponent(current)}/test`, { method: "POST" });
    find("#status").textContent = translate("saved", saved);
  },
  curl: async () => {
    const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
    const body = JSON.stringify({ token: "TOKEN", ...view.head.inputs });
    const token = `$(curl -s ${location.origin}/token?block=${view.head.block})`;
    const [before, after] = quoted(body).split("TOKEN");
    const command = `curl -s ${location.origin}/blocks/${view.head.block} -H 'content-type: application/json' -d ${before}'"${token}"'${after}`;
    const copied = await navigator.clipboard.writeText(command).then(() => true, () => false);
    find("#status").textContent = `${translate(copied ? "copied" : "not_copied")} ${command}`;
  },
  download: () => {
    const text = [view.head, ...view.lines].map((line) => JSON.stringify(line)).join("\n");
    const link = make("a", { href: URL.createObjectURL(new Blob([`${text}\n`], { type: "application/jsonl" })), download: `${current}.jsonl` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },
};
find("#buttons").addEventListener("click", async (event) => {
  const action = actions[event.target.closest("button")?.dataset.do];
  try {
    await action?.();
  } catch (error) {
    find("#status").textContent = error.message;
  }
});

find("#call").addEventListener("submit", (event) => {
  event.preventDefault();
  find("#json-error").textContent = "";
  try {
    if (block()) start(block().name, readInputs());
  } catch (error) {
    find(rawJson ? "#json-error" : "#call-error").textContent = error.message;
  }
});
find("#block").addEventListener("change", showBlock);
find("#fault").addEventListener("change", showFault);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("#call").requestSubmit();
});

for (const tabs of document.querySelectorAll("[role=tablist]")) {
  const all = [...tabs.querySelectorAll("[role=tab]")];
  const select = (tab) => {
    for (const other of all) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      find(`#${other.getAttribute("aria-controls")}`).hidden = other !== tab;
    }
    if (tab.id === "tab-json") {
      rawJson = true;
      find("#json").value = JSON.stringify(form.read(), null, 2);
    } else if (tab.id === "tab-form") {
      try {
        if (rawJson) form.write(JSON.parse(find("#json").value || "{}"));
      } catch { /* invalid JSON: the form keeps its values */ }
      rawJson = false;
    }
  };
  tabs.addEventListener("click", (event) => event.target.closest("[role=tab]") && select(event.target.closest("[role=tab]")));
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    select(next);
  });
}

// Messages of the server ------------------------------------------------------------------------

const handlers = {
  state: (message) => {
    const changed = JSON.stringify(message.blocks) !== JSON.stringify(state.blocks);
    state = { ...message, faults: message.faults ?? state.faults };
    showPhase();
    if (message.faults) showFaults();
    if (changed) {
      const kept = block()?.name, values = form.field ? form.read() : null;
      showBlocks();
      if (values && kept === block()?.name) form.write(values);
    }
  },
  typing: (message) => message.run === current && view.typing(),
  line: ({ run, line }) => {
    if (line.kind === "run" || line.kind === "end") showHistory();
    if (line.kind === "run" && !view.head) open(run);
    if (run !== current || line.kind === "run") return;
    if (pending) pending.push(line);
    else view.add(line);
  },
  log: () => {},
};

function listen() {
  const source = new EventSource("/playground/events");
  let disconnected = false;
  source.onmessage = (event) => {
    const message = JSON.parse(event.data);
    handlers[message.kind]?.(message);
  };
  source.onopen = () => {
    if (disconnected && current) open(current);
    disconnected = false;
  };
  source.onerror = () => {
    disconnected = true;
    state = { ...state, phase: "away" };
    showPhase();
  };
}

setLanguage(currentLanguage());
showTexts();
showHistory();
listen();
