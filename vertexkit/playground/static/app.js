// The playground: what it shows is told by the server, and everything it does it asks of it.
import { clear, find, make } from "./dom.js";
import { Form } from "./form.js";
import { RunView } from "./run.js";
import { known, say, speak, speaks } from "./words.js";

const form = new Form(find("#inputs"));
const view = new RunView();
let state = { phase: "starting", blocks: [], faults: [] };
let current = null; // the id of the run that is shown
let waiting = null; // lines told while that run is being fetched
let raw = false;
let runs = [];

const block = () => state.blocks.find((each) => each.name === find("#block").value);
const memory = (name) => `inputs:${state.target}:${name}`;

async function ask(path, options = {}) {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const answer = await fetch(path, { ...options, body, headers: body ? { "Content-Type": "application/json" } : {} });
  if (answer.status === 204) return null;
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail ?? answer.statusText);
  return said;
}

// Words, theme ----------------------------------------------------------------------------------

function words() {
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  find("#language").textContent = say("other");
  find("#theme").textContent = say(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  faults();
  phase();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
}
theme(localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

find("#theme").addEventListener("click", () => {
  theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  words();
});
find("#language").addEventListener("click", () => {
  speak(speaks() === "ru" ? "en" : "ru");
  words();
  const inputs = form.read();
  blocks();
  form.write(inputs);
  history();
  if (current) open(current);
  else view.show(null);
});

// The app: its phase, its blocks ----------------------------------------------------------------

function phase() {
  const shown = find("#phase");
  shown.className = `phase ${state.phase}`;
  shown.textContent = known(state.phase) ? say(state.phase) : state.phase;
  find("#target").textContent = state.target ?? "";
  const problem = find("#problem");
  problem.hidden = state.phase !== "broken";
  if (problem.hidden) return;
  const { error, place, source, traceback } = state.problem;
  problem.querySelector("h2").textContent = place || say("broken");
  problem.querySelector("p").textContent = error;
  problem.querySelector("code").textContent = source ?? "";
  problem.querySelector("pre").textContent = traceback ?? "";
  problem.querySelector(".hint").textContent = say("mend");
}

function blocks() {
  const chosen = find("#block").value || localStorage.getItem("block");
  clear(find("#block")).append(...state.blocks.map((each) =>
    make("option", { value: each.name }, each.title && each.title !== each.name ? `${each.title} (${each.name})` : each.name)));
  if (state.blocks.some((each) => each.name === chosen)) find("#block").value = chosen;
  choose();
}

function choose() {
  const chosen = block();
  find("#about").textContent = chosen?.description ?? "";
  if (!chosen) return;
  localStorage.setItem("block", chosen.name);
  form.show(chosen.input);
  const kept = localStorage.getItem(memory(chosen.name));
  if (kept) fill(JSON.parse(kept));
  else find("#json").value = JSON.stringify(form.read(), null, 2);
}

function fill(inputs) {
  form.write(inputs);
  find("#json").value = JSON.stringify(inputs, null, 2);
}

function faults() {
  const select = find("#fault"), chosen = select.value;
  clear(select).append(...["", ...(state.faults ?? [])].map((name) => make("option", { value: name }, say(`f_${name}`))));
  select.value = chosen;
  fault();
}

function fault() {
  const name = find("#fault").value;
  find("#fault-about").textContent = say(`d_${name}`);
  find("#after-field").hidden = name !== "crash";
  find("#wrong").toggleAttribute("data-on", Boolean(name));
}

// Runs ------------------------------------------------------------------------------------------

function inputs() {
  if (!raw) {
    const missing = form.missing();
    if (missing.length) throw new Error(say("fill") + missing.join(", "));
    return form.read();
  }
  let read;
  try {
    read = JSON.parse(find("#json").value || "{}");
  } catch (error) {
    throw new Error(say("bad_json") + error.message);
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) throw new Error(say("must_object"));
  return read;
}

async function start(name, given) {
  find("#call-error").textContent = "";
  find("#run").disabled = true;
  try {
    const body = { block: name, inputs: given, fault: find("#fault").value, after: Number(find("#after").value) || 1 };
    current = (await ask("/playground/runs", { method: "POST", body })).run;
    localStorage.setItem(memory(name), JSON.stringify(given));
    await open(current);
    await history();
    if (matchMedia("(max-width: 760px)").matches) find("#chat-head").scrollIntoView({ behavior: "smooth" });
  } catch (error) {
    find("#call-error").textContent = error.message;
  } finally {
    find("#run").disabled = false;
  }
}

async function open(run) {
  current = run;
  const later = (waiting = []);
  const found = await ask(`/playground/runs/${encodeURIComponent(run)}`);
  if (current !== run || waiting !== later) return;
  waiting = null;
  view.show(found.run, found.lines);
  for (const line of later.slice(overlap(found.lines, later))) view.add(line);
  mark();
}

// How many of the lines that were told meanwhile are in the answer already: its last ones.
function overlap(lines, later) {
  for (let size = Math.min(lines.length, later.length); size > 0; size--)
    if (JSON.stringify(lines.slice(-size)) === JSON.stringify(later.slice(0, size))) return size;
  return 0;
}

async function history() {
  runs = await ask("/playground/runs");
  const list = clear(find("#history"));
  if (!runs.length) list.append(make("li", { class: "quiet" }, say("none")));
  for (const run of runs) {
    const kind = !run.outcome ? "now" : run.code === "ok" ? "ok" : "bad";
    const given = Object.values(run.inputs).map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(", ");
    list.append(make("li", {}, make("button", { type: "button", "data-run": run.id, onclick: () => open(run.id) },
      make("span", { class: `mark ${kind}` }),
      make("span", { class: "what" }, `${run.block} ${given}`),
      make("span", { class: "quiet" }, new Date(run.started).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })))));
  }
  mark();
}

function mark() {
  for (const button of find("#history").querySelectorAll("button")) button.toggleAttribute("aria-current", button.dataset.run === current);
}

const actions = {
  again: () => start(view.head.block, view.head.inputs),
  edit: () => {
    find("#block").value = view.head.block;
    choose();
    fill(view.head.inputs);
    find("#inputs").querySelector("input, select, textarea")?.focus();
  },
  test: async () => {
    const saved = await ask(`/playground/runs/${encodeURIComponent(current)}/test`, { method: "POST" });
    find("#said").textContent = say("saved", saved);
  },
  curl: async () => {
    const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
    const body = JSON.stringify({ token: "TOKEN", ...view.head.inputs });
    const token = `$(curl -s ${location.origin}/token?block=${view.head.block})`;
    const [before, after] = quoted(body).split("TOKEN");
    const command = `curl -s ${location.origin}/blocks/${view.head.block} -H 'content-type: application/json' -d ${before}'"${token}"'${after}`;
    await navigator.clipboard.writeText(command).catch(() => {});
    find("#said").textContent = `${say("copied")} ${command}`;
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
    find("#said").textContent = error.message;
  }
});

find("#call").addEventListener("submit", (event) => {
  event.preventDefault();
  find("#json-error").textContent = "";
  try {
    if (block()) start(block().name, inputs());
  } catch (error) {
    find(raw ? "#json-error" : "#call-error").textContent = error.message;
  }
});
find("#block").addEventListener("change", choose);
find("#fault").addEventListener("change", fault);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("#call").requestSubmit();
});

for (const tabs of document.querySelectorAll("[role=tablist]")) {
  const all = [...tabs.querySelectorAll("[role=tab]")];
  const select = (tab) => {
    for (const each of all) {
      each.setAttribute("aria-selected", String(each === tab));
      each.tabIndex = each === tab ? 0 : -1;
      find(`#${each.getAttribute("aria-controls")}`).hidden = each !== tab;
    }
    if (tab.id === "tab-json") {
      raw = true;
      find("#json").value = JSON.stringify(form.read(), null, 2);
    } else if (tab.id === "tab-form") {
      try {
        if (raw) form.write(JSON.parse(find("#json").value || "{}"));
      } catch { /* the form keeps what it had */ }
      raw = false;
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

// What the server tells -------------------------------------------------------------------------

const told = {
  state: (message) => {
    const changed = JSON.stringify(message.blocks) !== JSON.stringify(state.blocks);
    state = { ...message, faults: message.faults ?? state.faults };
    phase();
    if (message.faults) faults();
    if (changed) {
      const kept = block()?.name, values = form.field ? form.read() : null;
      blocks();
      if (values && kept === block()?.name) form.write(values);
    }
  },
  typing: (message) => message.run === current && view.typing(),
  line: ({ run, line }) => {
    if (line.kind === "run" || line.kind === "end") history();
    if (line.kind === "run" && !view.head) open(run);
    if (run !== current || line.kind === "run") return;
    if (waiting) waiting.push(line);
    else view.add(line);
  },
  log: () => {},
};

function listen() {
  const source = new EventSource("/playground/events");
  let lost = false;
  source.onmessage = (event) => {
    const message = JSON.parse(event.data);
    told[message.kind]?.(message);
  };
  source.onopen = () => {
    if (lost && current) open(current);
    lost = false;
  };
  source.onerror = () => {
    lost = true;
    state = { ...state, phase: "away" };
    phase();
  };
}

speak(speaks());
words();
history();
listen();
