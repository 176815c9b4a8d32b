// The workers, and the service with its journal, its platform and its limits.
import { clear, find, formatDuration, make } from "./dom.js";
import { ago } from "./state.js";
import { translate } from "./texts.js";

const MARKS = { running: "ok", silent: "bad", stopped: "" };

function table(caption, columns, rows) {
  const cell = (name, tag) => (value) => make(tag, value?.number ? { class: "number" } : { class: "wrap" }, ...(value?.nodes ?? [String(value?.text ?? value ?? "")]));
  return make("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": caption || translate("c_workers") }, make("table", {},
    caption ? make("caption", {}, caption) : null,
    make("thead", {}, make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell("", "td")))))));
}

function definitions(title, pairs) {
  return make("div", {}, make("h2", {}, title), make("dl", {}, ...pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
}

export function showWorkers({ workers, now }) {
  const panel = find("#workers");
  find("#worker-count").textContent = workers.filter(({ state }) => state !== "stopped").length || "";
  if (!workers.length) {
    clear(panel).append(make("p", { class: "quiet" }, translate("c_no_workers")));
    return;
  }
  const columns = ["c_worker", "c_state", "c_held", "c_host", "c_pid", "c_version", "c_blocks", "c_seen"].map((name) => translate(name));
  const rows = workers.map((worker) => [
    { nodes: [make("span", { class: "mono" }, worker.worker)] },
    { nodes: [make("span", { class: `outcome ${MARKS[worker.state]}` }, translate(`w_${worker.state}`))] },
    worker.held, worker.host, worker.pid ?? "", worker.version, worker.blocks.join(", "),
    worker.seen_at === null ? "" : ago(worker.seen_at, now),
  ]);
  const known = columns.map((_, at) => rows.some((row) => row[at] !== "")); // not every journal knows the hosts
  clear(panel).append(table("", columns.filter((_, at) => known[at]), rows.map((row) => row.filter((_, at) => known[at]))));
}

export function showService(answer) {
  const panel = clear(find("#service"));
  const { service } = answer;
  const parked = `${answer.parked}${answer.more_parked ? "+" : ""}`;
  if (!service) {
    panel.append(make("div", { class: "service" }, definitions(translate("c_h_journal"), [[translate("c_address"), answer.journal], [translate("c_parked"), parked]])), make("p", { class: "quiet" }, translate("c_no_service")));
    return;
  }
  const { limits, figures: { gauges, counters, blocks } } = service;
  const part = (n, limit) => (limit === null ? `${n}` : translate("c_of", { n, limit }));
  panel.append(make("div", { class: "service" },
    definitions(translate("c_h_journal"), [
      [translate("c_address"), answer.journal], [translate("c_durability"), service.durability],
      [translate("c_writes"), service.trouble || translate("c_writes_fine")], [translate("c_queue"), part(gauges.waiting, limits.queue)],
      [translate("c_suspended"), String(gauges.suspended)], [translate("c_parked"), parked]]),
    definitions(translate("c_h_platform"), [
      [translate("c_address"), service.platform], [translate("c_connections"), part(gauges.connections, limits.connections * gauges.workers)],
      [translate("c_requests"), String(counters.requests ?? 0)],
      [translate("c_failed"), `${counters.requests_failed ?? 0} (${percent(counters.requests_failed, counters.requests)} %)`]]),
    definitions(translate("c_h_limits"), [
      [translate("c_processes"), part(gauges.workers_ready, gauges.workers)], [translate("c_handlers"), part(gauges.running, limits.concurrency * gauges.workers)],
      ["fleet_concurrency", limits.fleet_concurrency === null ? translate("c_unlimited") : String(limits.fleet_concurrency)], [translate("c_threads"), String(limits.threads)],
      [translate("c_version"), service.app_version]])),
    blockTable(service.blocks, blocks));
}
const percent = (part = 0, whole = 0) => (whole ? Math.round((100 * part) / whole) : 0);

function blockTable(blocks, running) {
  const columns = ["block", "running", "concurrency", "fleet", "rate", "limited", "timeout", "attempts"].map((name) => translate(`c_l_${name}`));
  const byKey = (block, value) => (value && block.keyed ? `${value} ${translate("c_per_key")}` : value);
  return table(translate("c_h_blocks"), columns, blocks.map((block) => [
    block.title && block.title !== block.name ? `${block.title} (${block.name})` : block.name,
    running[block.name]?.running ?? 0, block.concurrency ?? translate("c_default"),
    byKey(block, block.fleet_concurrency) ?? translate("c_unlimited"), byKey(block, block.rate) ?? translate("c_unlimited"),
    running[block.name]?.limited ?? 0, block.timeout === null ? translate("c_default") : formatDuration(block.timeout), block.attempts ?? translate("c_default"),
  ]));
}
