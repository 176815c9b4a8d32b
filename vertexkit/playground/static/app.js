// The page of the playground. The server sends what it shows, and does what it requests.
import { post, request, runPath } from "./api.js";
import { makeAppearance, showFixedTexts } from "./appearance.js";
import { listen } from "./connection.js";
import { powershellCommand, shellCommand } from "./curl.js";
import { clear, find, make } from "./dom.js";
import { FaultComposer } from "./faults.js";
import { folded, same } from "./fields.js";
import { Form } from "./form.js";
import { History } from "./history.js";
import { SavedInputs } from "./inputs.js";
import { errorText } from "./problems.js";
import { RunView } from "./run.js";
import { makeTabs } from "./tabs.js";
import { hasText, translate } from "./texts.js";

const form = new Form(find("#inputs"));
const view = new RunView();
const faults = new FaultComposer();
const history = new History((run) => visit(run));
const saved = new SavedInputs({ block: () => block()?.name, read: () => readInputs(), write: (inputs) => fillIn(inputs) });
let state = { phase: "starting", blocks: [], faults: {} };
let current = null; // id of the run that is shown
let pending = null; // lines that arrive while that run is being fetched
let rawJson = false; // the inputs come from the JSON tab
let disconnected = false;

const block = () => state.blocks.find((candidate) => candidate.name === find("#block").value);
const inputsKey = (name) => `inputs:${state.target}:${name}`;

// Language and theme ----------------------------------------------------------------------------

function showTexts() {
  showFixedTexts();
  faults.setPresets(state.faults ?? {});
  showPhase();
}

makeAppearance({
  onTheme: showTexts,
  onLanguage: () => {
    showTexts();
    const inputs = form.read();
    showBlocks();
    form.write(inputs);
    history.show();
    if (current) open(current);
    else view.show(null);
  },
});

// The app: its phase, its blocks ----------------------------------------------------------------

function showPhase() {
  const shown = find("#phase");
  shown.className = `phase ${state.phase}`;
  shown.textContent = hasText(state.phase) ? translate(state.phase) : state.phase;
  find("#target").textContent = state.target ?? "";
  if (state.speed !== undefined) find("#speed").value = String(state.speed);
  find("#seed").placeholder = String(state.seed ?? 0);
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
  clear(find("#about"));
  if (!chosen) return;
  if (chosen.description) find("#about").append(folded(chosen.description));
  localStorage.setItem("block", chosen.name);
  form.show(chosen.input);
  const kept = localStorage.getItem(inputsKey(chosen.name));
  if (kept) fillIn(JSON.parse(kept));
  else fillIn(form.read());
  saved.refresh();
}

function fillIn(inputs) {
  const others = form.write(inputs);
  find("#kept").textContent = others.length ? translate("kept_members", { names: others.join(", ") }) : "";
  find("#json").value = JSON.stringify(inputs, null, 2);
}

// Runs ------------------------------------------------------------------------------------------

function readJson() {
  let read;
  try {
    read = JSON.parse(find("#json").value || "{}");
  } catch (error) {
    throw new Error(translate("bad_json") + error.message);
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) throw new Error(translate("must_object"));
  return read;
}

function readInputs() {
  if (rawJson) return readJson();
  const missing = form.missing();
  if (missing.length) {
    form.focusMissing();
    throw new Error(translate("fill") + missing.join(", "));
  }
  return form.read();
}

async function start(name, inputs, simulated) {
  find("#call-error").textContent = "";
  find("#run").disabled = true;
  try {
    const run = (await post("/playground/runs", { block: name, inputs, ...simulated })).run;
    localStorage.setItem(inputsKey(name), JSON.stringify(inputs));
    await visit(run);
    await history.refresh();
    if (matchMedia("(max-width: 760px)").matches) find("#chat-head").scrollIntoView({ behavior: "smooth" });
  } catch (error) {
    find("#call-error").textContent = errorText(error);
  } finally {
    find("#run").disabled = false;
  }
}

// Opens a run and gives the page its address.
async function visit(run) {
  if (location.pathname !== `/runs/${run}`) window.history.pushState(null, "", `/runs/${encodeURIComponent(run)}`);
  await open(run);
}

async function open(run) {
  current = run;
  const newer = (pending = []);
  let found;
  try {
    found = await request(runPath(run));
  } catch (error) {
    if (current !== run) return;
    current = pending = null;
    view.show(null);
    find("#status").textContent = errorText(error);
    return;
  }
  if (current !== run || pending !== newer) return;
  pending = null;
  view.show(found.run, found.lines, found.active);
  for (const { number, line } of newer) show(number, line);
  history.mark(current);
}

// Shows a line of the current run. A run that was fetched may have lines whose messages come later.
function show(number, line) {
  if (number > view.lines.length) view.add(line);
}

function openAddress() {
  const run = /^\/runs\/([^/]+)$/.exec(location.pathname)?.[1];
  if (run) open(decodeURIComponent(run));
  else {
    current = pending = null;
    view.show(null);
    history.mark(null);
  }
}
window.addEventListener("popstate", openAddress);

const actions = {
  again: () => start(view.head.block, view.head.inputs, simulated(view.head)),
  edit: () => {
    find("#block").value = view.head.block;
    showBlock();
    fillIn(view.head.inputs);
    faults.write(view.head);
    find("#inputs").querySelector("input, select, textarea")?.focus();
  },
  stop: () => post(runPath(current, "/stop"), {}),
  replay: async () => {
    find("#status").textContent = translate("replaying");
    view.showReplay(await post(runPath(current, "/replay"), {}));
    find("#status").textContent = "";
  },
  test: async () => {
    const { path } = await post(runPath(current, "/test"), {});
    find("#status").textContent = translate("saved", { path });
  },
  curl: async () => {
    const commandFor = navigator.userAgent.includes("Windows") ? powershellCommand : shellCommand;
    const command = commandFor(location.origin, view.head.block, view.head.inputs);
    const copied = await navigator.clipboard.writeText(command).then(() => true, () => false);
    find("#status").textContent = `${translate(copied ? "copied" : "not_copied")} ${command}`;
  },
  download: () => saveFile(`${current}.jsonl`, [view.head, ...view.lines].map((line) => JSON.stringify(line)).join("\n")),
  transcript: () => saveFile(`${current}.md`, view.transcript()),
};

function saveFile(name, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
const simulated = ({ fault, faults: rules, seed }) => ({ fault, faults: rules?.length ? rules : undefined, seed });
find("#buttons").addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  find("#status").textContent = "";
  button.disabled = true;
  try {
    await actions[button.dataset.do]?.();
  } catch (error) {
    find("#status").textContent = errorText(error);
  } finally {
    button.disabled = false;
  }
});

find("#call").addEventListener("submit", (event) => {
  event.preventDefault();
  find("#json-error").textContent = "";
  try {
    if (block()) start(block().name, readInputs(), faults.read());
  } catch (error) {
    find(rawJson ? "#json-error" : "#call-error").textContent = error.message;
  }
});
find("#block").addEventListener("change", showBlock);
find("#speed").addEventListener("change", () => post("/playground/speed", { speed: Number(find("#speed").value) }));
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.target.closest(".wait-card")) find("#call").requestSubmit();
});

// What is changed on one tab is shown on the other; JSON that cannot be read stays where it is.
makeTabs(find("#input-tabs"), (tab) => {
  find("#json-error").textContent = "";
  if (tab.id === "tab-json") {
    if (!rawJson) find("#json").value = JSON.stringify(form.read(), null, 2);
    rawJson = true;
    return true;
  }
  if (!rawJson) return true;
  try {
    const inputs = readJson();
    fillIn(inputs);
    if (!same(form.read(), inputs)) throw new Error(translate("form_loses"));
  } catch (error) {
    find("#json-error").textContent = error.message;
    return false;
  }
  rawJson = false;
  return true;
});
makeTabs(find("#run-tabs"));

// Messages of the server ------------------------------------------------------------------------

const handlers = {
  connected: () => {
    if (disconnected && current) open(current);
    if (disconnected) history.refresh();
    disconnected = false;
  },
  disconnected: () => {
    disconnected = true;
    state = { ...state, phase: "away" };
    showPhase();
  },
  state: (message) => {
    const changed = JSON.stringify(message.blocks) !== JSON.stringify(state.blocks);
    const hasPresets = Boolean(message.faults);
    state = { ...message, faults: message.faults ?? state.faults };
    showPhase();
    if (hasPresets) faults.setPresets(state.faults);
    if (changed) {
      const kept = block()?.name, values = form.field ? form.read() : null;
      showBlocks();
      if (values && kept === block()?.name) fillIn(values);
    }
  },
  typing: ({ run }) => run === current && view.active && view.typing(),
  line: ({ run, number, line }) => {
    if (line.kind === "run" || line.kind === "end") history.refresh();
    if (line.kind === "run" && !view.head && !current) open(run);
    if (run !== current || line.kind === "run") return;
    if (pending) pending.push({ number, line });
    else show(number, line);
  },
};

showTexts();
history.refresh();
openAddress();
listen((message) => handlers[message.kind]?.(message));
