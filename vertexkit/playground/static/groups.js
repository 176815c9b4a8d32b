// The fields of a form that consist of others: models, lists, unions.
import { clear, make } from "./dom.js";
import { about, Field, label, same, text } from "./fields.js";
import { translate } from "./texts.js";

// The properties of an object. Members without a field are kept.
export class Fields {
  constructor(schema, form) {
    const required = new Set(schema.required ?? []);
    this.fields = Object.entries(schema.properties ?? {}).map(([name, each]) => [name, form.make(each, name, required.has(name))]);
    this.element = make("div", {}, ...this.fields.map(([, field]) => field.element));
    this.others = {};
  }
  read() {
    const read = this.fields.map(([name, field]) => [name, field.read()]);
    return { ...Object.fromEntries(read.filter(([, value]) => value !== undefined)), ...this.others };
  }
  write(values) {
    const names = new Set(this.fields.map(([name]) => name));
    this.others = Object.fromEntries(Object.entries(values ?? {}).filter(([name]) => !names.has(name)));
    for (const [name, field] of this.fields) field.write(values?.[name]);
  }
  missing() {
    return this.fields.flatMap(([, field]) => field.missing());
  }
  unknown() {
    return [...Object.keys(this.others), ...this.fields.flatMap(([name, field]) => field.unknown().map((other) => `${name}.${other}`))];
  }
}

// A model within a model. One that may be left out is left out until it is ticked.
export class Group extends Field {
  constructor(options) {
    super(options);
    this.fields = new Fields(this.schema, this.form);
    this.given = make("input", { id: this.id, type: "checkbox", checked: this.required, onchange: () => this.setMode(this.given.checked ? "value" : "absent") });
    const legend = this.bare ? null : this.required ? label(this, this.id) : make("label", { class: "field row" }, make("span", { class: "label" }, this.title), this.given);
    this.element = make("fieldset", { class: "field", "aria-label": this.title });
    this.build(legend, about(this, true), this.fields.element);
    if (this.schema.examples?.length && this.required) this.write(this.schema.examples[0]);
  }
  showMode() {
    this.given.checked = this.required || this.mode === "value";
    this.fields.element.hidden = !this.given.checked || this.mode === "null";
    super.showMode();
  }
  readControl() {
    return this.given.checked ? this.fields.read() : undefined;
  }
  writeControl(value) {
    this.given.checked = this.required || value !== undefined;
    if (value !== undefined && (typeof value !== "object" || Array.isArray(value))) return;
    this.fields.write(value ?? {});
  }
  missing() {
    return this.mode === "value" || (this.required && this.mode === "absent") ? this.fields.missing().map((name) => (this.bare ? name : `${this.title}: ${name}`)) : [];
  }
  unknown() {
    return this.mode === "value" ? this.fields.unknown() : [];
  }
}

export class List extends Field {
  constructor(options) {
    super(options);
    this.items = [];
    this.place = make("div", {});
    const add = make("button", { type: "button", class: "add", onclick: () => {
      this.add();
      this.setMode("value");
    } }, `+ ${translate("add")}`);
    this.element = make("fieldset", { class: "field", "aria-label": this.title });
    this.build(label(this, this.id), about(this, true), this.place, add);
    this.writeExample();
  }
  add(value) {
    const field = this.form.make(this.schema.items, String(this.items.length + 1), true);
    const name = `${translate("remove")}: ${this.title} ${this.items.length + 1}`;
    const drop = make("button", { type: "button", class: "clear", title: translate("remove"), "aria-label": name, onclick: () => {
      this.items = this.items.filter((each) => each !== field);
      row.remove();
      this.setMode("value");
    } }, "✕");
    const row = make("div", { class: "item" }, field.element, drop);
    if (value !== undefined) field.write(value);
    this.items.push(field);
    this.place.append(row);
  }
  readControl() {
    return this.items.map((each) => each.read() ?? null);
  }
  writeControl(value) {
    this.items = [];
    clear(this.place);
    for (const each of Array.isArray(value) ? value : []) this.add(each);
  }
  missing() {
    return this.mode === "json" ? [] : this.items.flatMap((each) => each.missing().map((name) => `${this.title}: ${name}`));
  }
  unknown() {
    return this.items.flatMap((each, at) => each.unknown().map((name) => `${at}.${name}`));
  }
}

// A union: one of several schemas, chosen by title or type.
export class Variants extends Field {
  constructor(options) {
    super(options);
    this.variants = this.schema.anyOf ?? this.schema.oneOf;
    this.field = null;
    const names = this.variants.map((each) => {
      const { schema: found } = this.form.resolve(each);
      const type = found.type === "array" ? `array: ${this.form.resolve(found.items ?? {}).schema.type ?? "…"}` : found.type;
      return found.title || (type && translate(`type_${found.type}`) !== `type_${found.type}` ? `${translate(`type_${found.type}`)}` : type) || text(found.const ?? found.enum ?? "?");
    });
    const { default: initial } = this.schema;
    const empty = this.required ? translate("choose") : initial === undefined ? translate("not_given") : `${text(initial)} (${translate("default")})`;
    this.input = make("select", { id: this.id, onchange: () => {
      this.choose(this.input.value);
      this.setMode(this.input.value === "" ? "absent" : "value");
    } }, make("option", { value: "" }, empty), ...names.map((each, at) => make("option", { value: String(at) }, each)));
    this.place = make("div", {});
    this.element = make("fieldset", { class: "field", "aria-label": this.title });
    this.build(make("label", {}, label(this, this.id), this.input), about(this), this.place);
    if (this.schema.examples?.length && this.required) this.write(this.schema.examples[0]);
    else if (this.required) this.choose("0");
  }
  choose(at) {
    this.input.value = at;
    clear(this.place);
    const variant = at === "" ? null : this.variants[Number(at)];
    this.field = variant && this.form.make({ ...variant, title: variant.title ?? this.form.resolve(variant).schema.title }, this.name, true, true);
    if (this.field) this.place.append(this.field.element);
  }
  readControl() {
    return this.field?.read();
  }
  writeControl(value) {
    if (value === undefined) return this.choose(this.required ? "0" : "");
    const fitting = this.variants.map((each, at) => [this.form.resolve(each).schema, String(at)]).filter(([schema]) => fits(schema, value, this.form));
    for (const [, at] of fitting) {
      this.choose(at);
      this.field.write(value);
      if (same(this.field.read(), value) && this.field.mode !== "json") return;
    }
  }
  missing() {
    if (this.mode === "null" || this.mode === "json") return [];
    return this.field ? (this.required || this.mode === "value" ? this.field.missing() : []) : super.missing();
  }
  unknown() {
    return this.field?.unknown() ?? [];
  }
}

function fits(schema, value, form) {
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  if (schema.const !== undefined) return schema.const === value;
  if (schema.enum) return schema.enum.includes(value);
  if (schema.type === "integer") return Number.isInteger(value);
  if (schema.type && schema.type !== kind) return false;
  if (kind !== "object") return true;
  const known = schema.properties ?? {};
  const constants = Object.entries(known).every(([name, each]) => {
    const found = form.resolve(each).schema;
    return found.const === undefined || found.const === value[name];
  });
  return constants && (schema.required ?? []).every((name) => name in value);
}
