// What a run waits for: a form for each event, and buttons that let time pass.
import { post, runPath } from "./api.js";
import { clear, formatDuration, make } from "./dom.js";
import { Form } from "./form.js";
import { errorText } from "./problems.js";
import { translate } from "./texts.js";

const REFRESH_MILLISECONDS = 500;

export class Waits {
  // `element` gets a card for each wait.
  constructor(element) {
    this.element = element;
    this.reset(null);
  }

  // `run` is an id; `now` returns the seconds since the start of the run.
  reset(run, now = () => 0) {
    clearInterval(this.timer);
    this.timer = null;
    Object.assign(this, { run, now, cards: new Map(), skipped: [] });
    clear(this.element).hidden = true;
  }

  add(line) {
    if (line.kind === "end" || line.name === "result_recorded") this.reset(this.run, this.now);
    else if (line.name === "waiting" && !this.cards.has(line.fields.position)) this.open(line);
    else if (line.name === "waited") this.close(line.fields.position);
    else if (line.name === "time_skipped") this.skipped.push(line);
  }

  open(line) {
    const { event, schema, position } = line.fields;
    const until = make("span", {});
    const status = make("p", { class: "error", role: "alert" });
    const card = make("section", { class: "wait-card", "aria-label": translate(event ? "t_wait" : "t_sleep", { event }) });
    card.append(make("p", {}, make("strong", {}, translate(event ? "waiting_for" : "sleeping", { event })), " ", until));
    if (event) card.append(this.eventForm(event, schema ?? {}, status));
    card.append(this.skipButtons(line, status), status);
    this.cards.set(position, { card, until, line });
    this.element.append(card);
    this.element.hidden = false;
    this.timer ??= setInterval(() => this.showTimes(), REFRESH_MILLISECONDS);
    this.showTimes();
  }

  close(position) {
    this.cards.get(position)?.card.remove();
    this.cards.delete(position);
    this.element.hidden = !this.cards.size;
  }

  eventForm(event, schema, status) {
    const fields = make("div", {});
    const form = new Form(fields);
    const simple = schema.type === "object" && schema.properties;
    form.show(simple ? schema : { type: "object", properties: { data: { ...schema, title: "JSON" } }, required: ["data"], $defs: schema.$defs });
    const send = make("button", { type: "submit", class: "primary small" }, translate("send_event"));
    return make("form", { novalidate: true, onsubmit: async (submitted) => {
      submitted.preventDefault();
      const missing = form.missing();
      status.textContent = missing.length ? translate("fill") + missing.join(", ") : "";
      if (missing.length) return form.focusMissing();
      const read = form.read();
      await this.act(status, send, () => post(runPath(this.run, `/events/${encodeURIComponent(event)}`), simple ? read : read.data));
    } }, fields, send);
  }

  skipButtons(line, status) {
    const skip = (label, seconds) => {
      const button = make("button", { type: "button", onclick: () => this.act(status, button, () => post("/playground/skip", { seconds: seconds() })) }, label);
      return button;
    };
    const whole = skip(translate("skip_all"), () => this.remaining(line) + 0.001);
    return make("div", { class: "buttons flat" }, whole, ...[["skip_minute", 60], ["skip_hour", 3600], ["skip_day", 86400]]
      .filter(([, seconds]) => seconds < line.fields.seconds)
      .map(([label, seconds]) => skip(translate(label), () => seconds)));
  }

  async act(status, button, action) {
    status.textContent = "";
    button.disabled = true;
    try {
      await action();
    } catch (error) {
      status.textContent = errorText(error);
    } finally {
      button.disabled = false;
    }
  }

  remaining(line) {
    const later = this.skipped.filter((other) => other.at >= line.at).reduce((sum, other) => sum + other.fields.seconds, 0);
    return Math.max(0, line.fields.seconds - (this.now() - line.at) - later);
  }

  showTimes() {
    for (const { until, line } of this.cards.values()) {
      const seconds = this.remaining(line), at = new Date(Date.now() + seconds * 1000);
      until.textContent = translate("until", { time: at.toLocaleString(document.documentElement.lang, { dateStyle: seconds > 43200 ? "medium" : undefined, timeStyle: "short" }), left: formatDuration(seconds) });
    }
  }
}
