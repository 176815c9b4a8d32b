// The fields of a form for single values.
//
// A field is not set, null, or has a value; `read` returns undefined for one that is not set. A value
// that the control cannot show is shown as JSON instead, so that nothing is lost.
import { clear, make } from "./dom.js";
import { translate } from "./texts.js";

const FOLDED_CHARACTERS = 160;
const LONG_CHARACTERS = 200;
const FORMATS = { date: "date", email: "email", uri: "url", password: "password" };
const EXAMPLES = { "date-time": "2026-11-25T18:30:00+03:00", time: "18:30:00", duration: "P1DT2H30M", uuid: "123e4567-e89b-12d3-a456-426614174000", decimal: "12.50" };
let count = 0;

const nextId = () => `f${++count}`;
export const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
export const same = (one, other) => canonical(one) === canonical(other);
const canonical = (value) => JSON.stringify(value, (_, item) =>
  item && typeof item === "object" && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item);

// The label of a field: its title, with a star if it is required.
export function label({ schema, name, required }, id) {
  const element = make("span", { id: `${id}-label`, class: "label" }, schema.title || name);
  if (required) element.append(make("span", { class: "must", "aria-hidden": "true" }, " *"));
  return element;
}

// The description, examples, limits and default of a field.
export function about({ schema, required }, shownDefault = false) {
  const parts = [];
  const examples = (schema.examples ?? []).slice(0, 3).map(text); // a single example is already in the field
  if (examples.length > 1) parts.push(examples.join(", "));
  parts.push(...limits(schema));
  if (EXAMPLES[schema.format]) parts.push(translate("for_example", { example: EXAMPLES[schema.format] }));
  if (!required && shownDefault && schema.default !== undefined && schema.default !== null) parts.push(`${translate("default")}: ${text(schema.default)}`);
  const shown = make("div", { class: "quiet about" });
  if (schema.description) shown.append(folded(schema.description));
  if (parts.length) shown.append(make("p", {}, parts.join(" · ")));
  return shown.childNodes.length ? shown : null;
}

export function folded(description) {
  if (description.length <= FOLDED_CHARACTERS) return make("p", {}, description);
  const start = description.slice(0, description.lastIndexOf(" ", FOLDED_CHARACTERS - 40) || FOLDED_CHARACTERS - 40);
  return make("details", { class: "folded" }, make("summary", {}, `${start}… `, make("u", {}, translate("more"))), make("p", {}, description.slice(start.length).trim()));
}

function limits(schema) {
  const found = [];
  const low = schema.minimum ?? schema.exclusiveMinimum, high = schema.maximum ?? schema.exclusiveMaximum;
  if (low !== undefined) found.push(`${schema.minimum === undefined ? ">" : "≥"} ${low}`);
  if (high !== undefined) found.push(`${schema.maximum === undefined ? "<" : "≤"} ${high}`);
  if (schema.multipleOf !== undefined) found.push(translate("multiple_of", { n: schema.multipleOf }));
  if (schema.minLength) found.push(translate("min_length", { n: schema.minLength }));
  if (schema.maxLength !== undefined) found.push(translate("max_length", { n: schema.maxLength }));
  return found;
}

// What all fields have: whether they are set, and a value that the control cannot show.
export class Field {
  constructor(options) {
    Object.assign(this, options);
    this.id = nextId();
    this.mode = "absent"; // absent, null, value or json
    this.element = make("div", { class: "field" });
  }

  // Adds the control and, if the field can be not set or null, what chooses that.
  build(...parts) {
    this.modes = make("span", { class: "modes" });
    this.parts = make("div", {}, ...parts.filter(Boolean));
    this.element.append(this.parts, this.modes);
    this.showMode();
  }

  get title() {
    return this.schema.title || this.name;
  }

  setMode(mode) {
    this.mode = mode;
    this.showMode();
  }

  showMode() {
    const action = (label, run) => make("button", { type: "button", class: "mode", "aria-label": `${translate(label)}: ${this.title}`, onclick: run }, translate(label));
    clear(this.modes);
    this.parts.classList.toggle("replaced", this.mode === "json");
    if (this.mode !== "json") this.json?.remove();
    if (this.mode === "null") this.modes.append(make("code", {}, "null"));
    if (this.nullable && this.mode !== "null") this.modes.append(action("set_null", () => this.write(null)));
    if (this.mode === "null" || this.mode === "json" || (!this.required && this.mode === "value"))
      this.modes.append(action(this.required ? "clear" : "unset", () => this.write(undefined)));
    if (this.mode === "json") this.modes.append(make("span", { class: "quiet" }, translate("kept_as_json")));
  }

  read() {
    if (this.mode === "null") return null;
    if (this.mode === "json") return parsed(this.json.value);
    return this.mode === "value" || this.required ? this.readControl() : undefined;
  }

  write(value) {
    this.writeControl(undefined);
    if (value === undefined) return this.setMode("absent");
    if (value === null && this.nullable) return this.setMode("null");
    this.writeControl(value);
    this.mode = "value";
    if (!same(this.read(), value)) {
      this.writeControl(undefined);
      this.json = make("textarea", { rows: 2, spellcheck: false, "aria-label": `${this.title} (JSON)` });
      this.json.value = JSON.stringify(value, null, 2);
      this.modes.before(this.json);
      this.mode = "json";
    }
    this.showMode();
  }

  // The example of a required field is its first value.
  writeExample() {
    const { examples, default: initial } = this.schema;
    if (examples?.length && (this.required || initial === undefined) && (this.required || this.showsExample)) this.write(examples[0]);
  }

  unknown() {
    return [];
  }

  missing() {
    return this.required && this.read() === undefined ? [this.title] : [];
  }
}

function parsed(source) {
  try {
    return JSON.parse(source);
  } catch {
    return source;
  }
}

// A text, a number, a date.
export class Line extends Field {
  constructor(options) {
    super(options);
    this.showsExample = true;
    const { schema, kind } = this;
    const long = kind === "string" && ((schema.maxLength ?? 0) > LONG_CHARACTERS && schema.format !== "uri" || text(schema.examples?.[0] ?? schema.default ?? "").includes("\n"));
    const numeric = kind === "integer" || kind === "number";
    const placeholder = schema.default !== undefined && schema.default !== null ? text(schema.default) : this.required ? undefined : translate("not_given");
    this.input = make(long ? "textarea" : "input", {
      id: this.id, name: this.name, autocomplete: "off", placeholder, ...(long ? { rows: 4 } : { type: FORMATS[schema.format] ?? "text" }),
      inputmode: kind === "integer" ? "numeric" : numeric || schema.format === "decimal" ? "decimal" : undefined,
      "aria-required": this.required ? "true" : undefined,
      oninput: () => this.typed(),
    });
    const fill = schema.format === "uuid" ? make("button", { type: "button", class: "mode", onclick: () => this.write(crypto.randomUUID()) }, translate("generate")) : null;
    this.build(make("label", {}, label(this, this.id), this.input), fill, about(this));
    this.writeExample();
  }

  typed() {
    this.written = undefined;
    this.mode = this.input.value === "" && !(this.required && this.kind === "string") ? "absent" : "value";
    this.showMode();
    this.input.setAttribute("aria-invalid", String(this.isOutside()));
  }

  // Whether the number is outside of its limits; it can be sent nevertheless.
  isOutside() {
    const value = Number(this.input.value), { schema } = this;
    if (this.input.value === "" || !["integer", "number"].includes(this.kind) && schema.format !== "decimal") return false;
    return !Number.isFinite(value) || value < schema.minimum || value > schema.maximum || value <= schema.exclusiveMinimum || value >= schema.exclusiveMaximum;
  }

  readControl() {
    const given = this.input.value;
    if (this.written !== undefined && this.written.shown === given) return this.written.value;
    if (given === "") return this.mode === "value" && this.kind === "string" ? "" : undefined;
    if (this.kind === "string") return given;
    return given.trim() !== "" && Number.isFinite(Number(given)) ? Number(given) : given;
  }

  writeControl(value) {
    this.input.removeAttribute("aria-invalid");
    this.input.value = value === undefined ? "" : text(value);
    // A Decimal may be a number or a text; a number may be written as 1e3: it stays what it was.
    const fits = typeof value === "number" && (this.kind !== "string" || this.schema.format === "decimal");
    this.written = fits || (typeof value === "string" && this.kind === "string") ? { value, shown: this.input.value } : undefined;
    if (this.written && this.input.value !== text(value)) this.written = undefined; // a date's control rejects it
  }
}

// True or false. One that is required and has no default has to be chosen.
export class Flag extends Field {
  constructor(options) {
    super(options);
    if (this.required) {
      this.input = make("select", { id: this.id, name: this.name, "aria-required": "true", onchange: () => this.setMode(this.input.value === "" ? "absent" : "value") },
        ...["", "true", "false"].map((value) => make("option", { value }, value === "" ? translate("choose") : translate(value === "true" ? "yes" : "no"))));
      this.build(make("label", {}, label(this, this.id), this.input), about(this));
    } else {
      this.input = make("input", { id: this.id, name: this.name, type: "checkbox", onchange: () => this.setMode("value") });
      this.build(make("label", { class: "field row" }, make("span", { class: "label" }, this.title), this.input), about(this));
    }
    this.write(this.required ? this.schema.examples?.[0] : undefined);
  }
  readControl() {
    return this.required ? { true: true, false: false }[this.input.value] : this.input.checked;
  }
  writeControl(value) {
    if (this.required) this.input.value = value === undefined ? "" : String(value);
    else this.input.checked = value ?? this.schema.default === true;
  }
}

// One of several values.
export class Choice extends Field {
  constructor(options) {
    super(options);
    const { schema } = this;
    const empty = schema.default !== undefined ? `${text(schema.default)} (${translate("default")})` : this.required ? translate("choose") : translate("not_given");
    this.input = make("select", { id: this.id, name: this.name, "aria-required": this.required ? "true" : undefined, onchange: () => this.setMode(this.input.value === "" ? "absent" : "value") },
      make("option", { value: "" }, empty), ...schema.enum.map((each, at) => make("option", { value: String(at) }, text(each))));
    this.build(make("label", {}, label(this, this.id), this.input), about(this));
    this.writeExample();
  }
  readControl() {
    return this.input.value === "" ? undefined : this.schema.enum[Number(this.input.value)];
  }
  writeControl(value) {
    const at = this.schema.enum.findIndex((each) => same(each, value));
    this.input.value = at < 0 ? "" : String(at);
  }
}

// A value that is always the same.
export class Constant {
  constructor({ schema }) {
    this.value = schema.const;
    this.element = make("input", { type: "hidden" });
  }
  read() {
    return this.value;
  }
  write() {}
  missing() {
    return [];
  }
  unknown() {
    return [];
  }
}

// Any other schema: a text field for JSON.
export class Raw extends Field {
  constructor(options) {
    super(options);
    this.input = make("textarea", { id: this.id, name: this.name, rows: 3, spellcheck: false, placeholder: this.schema.type === "array" ? "[ … ]" : "{ … }",
      oninput: () => this.setMode(this.input.value.trim() === "" ? "absent" : "value") });
    this.build(make("label", {}, label(this, this.id), this.input), about(this, true));
    this.writeExample();
  }
  readControl() {
    return this.input.value.trim() === "" ? undefined : parsed(this.input.value);
  }
  writeControl(value) {
    this.input.value = value === undefined ? "" : JSON.stringify(value, null, 2);
  }
}
