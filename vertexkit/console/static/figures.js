// The figures of the service as small charts. The server sends sums; rates and quantiles are computed
// from the differences between the answers since the page was opened.
import { clear, formatDuration, make } from "./dom.js";
import { translate } from "./texts.js";

const KEPT_SECONDS = 600;
const WINDOW_SECONDS = 10;
const MAX_POINTS = 120;
const FAILURES = ["failed", "parked", "gone"];

const rate = (sample, before, ...names) => sum(names, (name) => (sample.counters[name] ?? 0) - (before.counters[name] ?? 0)) / (sample.at - before.at);
const sum = (names, value) => names.reduce((total, name) => total + value(name), 0);
const round = (number) => (number >= 100 ? Math.round(number) : Number(number.toPrecision(2)));
const perSecond = (number) => translate("c_per_second", { n: round(number) });

// Each figure: its value from a sample and an earlier one, its text, and whether it is bad.
const FIGURES = {
  calls: { value: (sample, before) => rate(sample, before, "accepted"), show: perSecond },
  queue: { value: (sample) => sample.gauges.waiting, bad: (value, sample) => value >= 0.8 * sample.limits.queue },
  running: { value: (sample) => sample.gauges.running, more: (sample) => (sample.gauges.suspended ? `+ ${sample.gauges.suspended} ${translate("s_one_suspended")}` : "") },
  wait: { value: (sample, before) => quantile(sample, before, "queue_wait"), show: formatDuration },
  failures: { value: (sample, before) => 60 * rate(sample, before, ...FAILURES), show: (value) => translate("c_per_minute", { n: round(value) }), bad: (value) => value > 0 },
  requests: { value: (sample, before) => rate(sample, before, "requests"), show: perSecond, more: failedShare, bad: (_, sample, before) => rate(sample, before, "requests_failed") > 0.2 * rate(sample, before, "requests") && rate(sample, before, "requests") > 0 },
  request: { value: (sample, before) => quantile(sample, before, "platform_request"), show: formatDuration },
  commit: { value: (sample, before) => quantile(sample, before, "commit"), show: formatDuration, bad: (value) => value > 1 },
};

function failedShare(sample, before) {
  const all = rate(sample, before, "requests");
  const share = all ? Math.round((100 * rate(sample, before, "requests_failed")) / all) : 0;
  return share ? translate("c_failed_share", { n: share }) : "";
}

// The 95th percentile of what was measured between two samples; null if nothing was.
function quantile(sample, before, name) {
  const { bounds, counts } = sample.durations[name];
  const earlier = before.durations[name].counts;
  const between = counts.map((count, at) => count - (earlier[at] ?? 0));
  const all = between.at(-1);
  if (!(all > 0)) return null;
  const at = between.findIndex((count) => count >= 0.95 * all);
  const low = at ? bounds[at - 1] : 0, high = bounds[at] ?? low;
  const below = at ? between[at - 1] : 0;
  return low + ((high - low) * (0.95 * all - below)) / Math.max(1, between[at] - below);
}

export class Figures {
  constructor(element) {
    this.element = element;
    this.samples = [];
  }

  // Takes an answer of the server about the service; null: there is no service.
  add(service, at) {
    this.element.hidden = !service;
    if (!service) return;
    const sample = { at, limits: service.limits, ...service.figures };
    const last = this.samples.at(-1);
    if (last && (at <= last.at || sample.counters.accepted < last.counters.accepted)) this.samples = []; // the service was restarted
    this.samples.push(sample);
    while (this.samples[0].at < at - KEPT_SECONDS) this.samples.shift();
    this.show();
  }

  before(index) {
    const { at } = this.samples[index];
    let first = index;
    while (first > 0 && this.samples[first].at > at - WINDOW_SECONDS) first--;
    return first === index ? null : this.samples[first];
  }

  points({ value }) {
    const needsBefore = value.length > 1;
    return this.samples.map((sample, index) => {
      const before = this.before(index);
      return { at: sample.at, value: needsBefore && !before ? null : value(sample, before) };
    });
  }

  show() {
    if (!this.samples.length) return;
    clear(this.element).append(...Object.entries(FIGURES).map(([name, figure]) => this.card(name, figure)));
  }

  card(name, figure) {
    const points = this.points(figure), index = this.samples.length - 1;
    const sample = this.samples[index], before = this.before(index) ?? undefined;
    const { value } = points.at(-1);
    const show = figure.show ?? ((number) => String(round(number)));
    const now = value === null ? "—" : show(value);
    const more = figure.more && (before || figure.more.length < 2) ? figure.more(sample, before) : "";
    const bad = value !== null && before && figure.bad?.(value, sample, before);
    const known = points.filter((point) => point.value !== null);
    const max = Math.max(0, ...known.map((point) => point.value));
    const label = translate("g_chart", { name: translate(`g_${name}`), value: now, max: known.length ? show(max) : "—", time: formatDuration(Math.max(1, sample.at - this.samples[0].at)) });
    return make("div", { class: bad ? "figure bad" : "figure" }, make("p", {}, translate(`g_${name}`)),
      make("div", { class: "now" }, now, more ? make("small", {}, ` ${more}`) : null), sparkline(known, max, label));
  }
}

function sparkline(points, max, label) {
  const svg = svgElement("svg", { viewBox: "0 0 100 26", preserveAspectRatio: "none", role: "img", "aria-label": label });
  const shown = points.slice(-MAX_POINTS);
  if (shown.length > 1) {
    const from = shown[0].at, length = shown.at(-1).at - from || 1;
    const line = shown.map((point) => `${((100 * (point.at - from)) / length).toFixed(2)} ${(25 - (23 * point.value) / (max || 1)).toFixed(2)}`).join(" L");
    svg.append(svgElement("path", { class: "area", d: `M0 26 L${line} L100 26 Z` }), svgElement("path", { d: `M${line}` }));
  }
  return svg;
}

function svgElement(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
