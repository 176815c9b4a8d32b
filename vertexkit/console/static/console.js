// The operators' console: the page asks the server again and again while it is visible.
import "./console-texts.js";
import { makeAppearance, showFixedTexts } from "./appearance.js";
import { find } from "./dom.js";
import { ExecutionList } from "./execution-list.js";
import { ExecutionView } from "./execution-view.js";
import { Figures } from "./figures.js";
import { newestOf, request } from "./request.js";
import { showService, showWorkers } from "./service-view.js";
import { makeTabs } from "./tabs.js";
import { hasText, translate } from "./texts.js";

const LIVE_SECONDS = 2, JOURNAL_SECONDS = 10; // between two requests: of a service, of a journal alone
const HEADERS = { "X-Vertexkit-Console": "1" };
const ask = (path, options = {}) => request(`api/${path}`, { headers: HEADERS, ...options });

let described = null; // the last answer about the service
let opened = null; // id of the execution that is shown
let live = true;
let timer = null;
let clockOffset = 0; // of the server's clock, in seconds
const now = () => Date.now() / 1000 + clockOffset;

const figures = new Figures(find("#figures"));
const list = new ExecutionList({ onChange: () => { keepAddress(false); refreshList(); }, onOpen: (execution) => open(execution, true) });
const view = new ExecutionView({ act, now });

// The page's address ------------------------------------------------------------------------------

function keepAddress(push) {
  const parameters = new URLSearchParams({ ...list.filters(), ...(opened ? { execution: opened } : {}) });
  const address = parameters.size ? `?${parameters}` : location.pathname;
  if (push) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

async function readAddress() {
  const parameters = new URLSearchParams(location.search);
  list.read(parameters);
  await Promise.all([refreshList(), open(parameters.get("execution"), false)]);
}
window.addEventListener("popstate", readAddress);

// What the server answers -------------------------------------------------------------------------

let problemOf = null; // what the problem that is shown belongs to: `service`, `list`, `execution`, `action`

function showProblem(error, subject) {
  const problem = find("#problem");
  if (!error) {
    if (problemOf === subject) problem.hidden = true;
    return;
  }
  problemOf = subject;
  problem.hidden = false;
  const known = hasText(`p_${error.code}`);
  problem.querySelector("h2").textContent = known ? translate(`p_${error.code}`) : translate(error.status ? "p_not_allowed" : "c_away");
  problem.querySelector("p").textContent = error.status ? error.message : "";
}

// Asks the server; an error is shown, and null is returned.
async function read(subject, path, options) {
  try {
    const answer = await ask(path, options);
    if (answer.now) clockOffset = answer.now - Date.now() / 1000;
    showProblem(null, subject);
    return answer;
  } catch (error) {
    showProblem(error, subject);
    return null;
  }
}

const begin = { service: newestOf(), list: newestOf(), execution: newestOf() };

async function refreshService() {
  const isNewest = begin.service();
  const answer = await read("service", "service");
  if (!isNewest()) return;
  if (answer) {
    described = answer;
    figures.add(answer.service, answer.now);
    for (const { name } of answer.service?.blocks ?? []) list.addBlock(name);
    list.setParked(answer.parked ? `${answer.parked}${answer.more_parked ? "+" : ""}` : "");
  }
  showState(Boolean(answer));
}

async function refreshList() {
  const isNewest = begin.list();
  const answer = await read("list", `executions?${list.query()}`);
  if (answer && isNewest()) list.show(answer);
}

async function refreshExecution() {
  const isNewest = begin.execution();
  if (!opened) return;
  const answer = await read("execution", `executions/${encodeURIComponent(opened)}`);
  if (!isNewest()) return;
  if (answer) view.show(answer.execution, { writable: Boolean(described?.writable), hasApp: Boolean(described?.service) });
  else {
    opened = null;
    list.mark(null);
    view.show(null);
  }
}

function showState(connected) {
  const phase = find("#phase"), service = described?.service;
  if (!connected || !described) {
    phase.className = "phase away";
    phase.textContent = translate("c_away");
  } else if (!service) {
    phase.className = "phase";
    phase.textContent = translate("c_journal_only");
  } else {
    phase.className = service.ready ? "phase ready" : "phase broken";
    phase.textContent = service.ready ? translate("c_ready") : translate("c_not_ready", { reasons: service.reasons.join(", ") });
  }
  if (!described) return;
  find("#journal").textContent = described.journal;
  const mode = find("#mode");
  mode.className = described.writable ? "badge warn" : "badge";
  mode.textContent = described.writable ? translate(described.user ? "c_user" : "c_writable", described) : translate("c_read_only");
  showWorkers(described);
  showService(described);
}

async function refresh() {
  clearTimeout(timer);
  await refreshService();
  await Promise.all([refreshList(), view.record?.outcome && !view.record.retryable ? null : refreshExecution()]);
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (live && !document.hidden) timer = setTimeout(refresh, 1000 * (described && !described.service ? JOURNAL_SECONDS : LIVE_SECONDS));
}
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : live && refresh()));

// What the operator does --------------------------------------------------------------------------

async function open(execution, byUser) {
  const same = execution === opened;
  opened = execution;
  list.mark(execution);
  if (byUser && !same) keepAddress(true);
  if (!execution) view.show(null);
  await refreshExecution();
  if (byUser && matchMedia("(max-width: 860px)").matches) find("#execution").scrollIntoView({ behavior: "smooth" });
}

async function act(record, { action }, body) {
  const answer = await read("action", `executions/${record.execution}/${action}`, { method: "POST", body });
  if (answer) await refresh();
  return answer;
}

find("#live").addEventListener("click", () => {
  live = !live;
  showTexts();
  if (live) refresh();
  else clearTimeout(timer);
});

function showTexts() {
  showFixedTexts();
  document.title = `vertexkit: ${translate("c_console")}`;
  find("#live").textContent = translate(live ? "c_pause" : "c_resume");
}

makeAppearance({
  onTheme: showTexts,
  onLanguage: () => {
    showTexts();
    list.showTexts();
    view.showAgain();
    figures.show();
    showState(Boolean(described));
  },
});
makeTabs(find("#views"));
showTexts();
list.showTexts();
await readAddress();
await refresh();
