// A form generated from a JSON Schema of pydantic. Untouched optional fields are not sent.
import { clear, make } from "./dom.js";
import { translate } from "./texts.js";

export class Form {
  constructor(element) {
    this.element = element;
    this.field = null;
  }

  show(schema) {
    this.root = schema;
    this.field = new Fields(schema, this);
    clear(this.element).append(this.field.element);
    if (!Object.keys(schema.properties ?? {}).length)
      this.element.append(make("p", { class: "quiet" }, translate("no_inputs")));
  }

  read() {
    return this.field?.read() ?? {};
  }

  write(values) {
    this.field?.write(values ?? {});
  }

  missing() {
    return this.field?.missing() ?? [];
  }

  // Resolves references; returns the schema and whether null is allowed as well.
  resolve(schema) {
    let found = schema, nullable = false;
    for (let depth = 0; depth < 20; depth++) {
      if (found.$ref) {
        const target = found.$ref.replace(/^#\//, "").split("/").reduce((at, key) => at?.[key], this.root) ?? {};
        found = { ...target, ...rest(found, "$ref") };
      } else if (found.allOf?.length === 1) {
        found = { ...found.allOf[0], ...rest(found, "allOf") };
      } else if (found.anyOf || found.oneOf) {
        const key = found.anyOf ? "anyOf" : "oneOf";
        const others = found[key].filter((each) => each.type !== "null");
        nullable ||= others.length < found[key].length;
        if (others.length !== 1) return { schema: { ...found, [key]: others }, nullable };
        found = { ...others[0], ...rest(found, key) };
      } else return { schema: found, nullable };
    }
    return { schema: found, nullable };
  }

  make(schema, name, required) {
    const { schema: found, nullable } = this.resolve(schema);
    const kind = Array.isArray(found.type) ? found.type.find((each) => each !== "null") : found.type;
    if (found.const !== undefined) return new Constant(found, name);
    if (found.enum) return new Choice(found, name, required);
    if (found.anyOf || found.oneOf) return new Variants(found, name, required, this);
    if (kind === "boolean") return new Flag(found, name, required);
    if (kind === "object" && found.properties) return new Group(found, name, required, this);
    if (kind === "array" && found.items) return new List(found, name, required, this);
    if (kind === "object" || kind === "array" || !kind) return new Raw(found, name, required);
    return new Line(found, name, required, kind, nullable);
  }
}

const rest = (schema, key) => Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key));
let count = 0;

function label(schema, name, required, id) {
  const element = make("span", { id: `${id}-label` }, schema.title || name);
  if (required) element.append(make("span", { class: "must", title: translate("required") }, " *"));
  return element;
}

function about(schema) {
  const parts = [schema.description];
  const examples = (schema.examples ?? []).slice(0, 3).map(text); // a single example is already in the field
  if (examples.length > 1) parts.push(examples.join(", "));
  const shown = parts.filter(Boolean).join(" · ");
  return shown ? make("p", { class: "quiet" }, shown) : null;
}
const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// The properties of an object.
class Fields {
  constructor(schema, form) {
    const required = new Set(schema.required ?? []);
    this.fields = Object.entries(schema.properties ?? {}).map(([name, each]) => [name, form.make(each, name, required.has(name))]);
    this.element = make("div", {}, ...this.fields.map(([, field]) => field.element));
  }
  read() {
    const read = this.fields.map(([name, field]) => [name, field.read()]);
    return Object.fromEntries(read.filter(([, value]) => value !== undefined));
  }
  write(values) {
    for (const [name, field] of this.fields) field.write(values?.[name]);
  }
  missing() {
    return this.fields.flatMap(([, field]) => field.missing());
  }
}

class Line {
  constructor(schema, name, required, kind) {
    Object.assign(this, { schema, name, required, kind, touched: false });
    const id = `f${++count}`;
    const long = kind === "string" && ((schema.maxLength ?? 0) > 200 || text(schema.examples?.[0] ?? schema.default ?? "").includes("\n"));
    const numeric = kind === "integer" || kind === "number";
    const type = numeric ? "number" : { date: "date", email: "email", uri: "url", password: "password" }[schema.format] ?? "text";
    this.input = make(long ? "textarea" : "input", {
      id, name, autocomplete: "off", ...(long ? { rows: 4 } : { type }),
      min: limit(schema.minimum), max: limit(schema.maximum), step: kind === "number" ? "any" : undefined,
      placeholder: schema.default !== undefined && schema.default !== null ? text(schema.default) : required ? undefined : translate("not_given"),
      oninput: () => (this.touched = true),
    });
    this.element = make("label", { class: "field" }, label(schema, name, required, id), this.input, about(schema));
    if (schema.examples?.length && (required || schema.default === undefined)) this.write(schema.examples[0]);
    this.touched = false;
  }
  read() {
    const given = this.input.value;
    if (given === "") return this.required && this.touched && this.kind === "string" ? "" : undefined;
    return this.kind === "string" ? given : Number.isFinite(Number(given)) ? Number(given) : given;
  }
  write(value) {
    this.touched = value !== undefined;
    this.input.value = value === undefined || value === null ? "" : text(value);
  }
  missing() {
    return this.required && this.read() === undefined ? [this.schema.title || this.name] : [];
  }
}
const limit = (value) => (value === undefined ? undefined : String(value));

class Flag {
  constructor(schema, name, required) {
    Object.assign(this, { schema, required, touched: false });
    this.input = make("input", { type: "checkbox", checked: schema.default === true, onchange: () => (this.touched = true) });
    const title = make("span", {}, schema.title || name);
    this.element = make("div", { class: "field" }, make("label", { class: "field row" }, title, this.input), about(schema));
  }
  read() {
    return this.touched || this.required ? this.input.checked : undefined;
  }
  write(value) {
    this.touched = value !== undefined;
    this.input.checked = value ?? this.schema.default === true;
  }
  missing() {
    return [];
  }
}

class Choice {
  constructor(schema, name, required) {
    Object.assign(this, { schema, name, required });
    const id = `f${++count}`;
    const empty = schema.default !== undefined ? `${text(schema.default)} (${translate("default")})` : required ? translate("choose") : translate("not_given");
    this.input = make("select", { id, name }, make("option", { value: "" }, empty),
      ...schema.enum.map((each, at) => make("option", { value: String(at) }, text(each))));
    this.element = make("label", { class: "field" }, label(schema, name, required, id), this.input, about(schema));
    if (required && schema.examples?.length) this.write(schema.examples[0]);
  }
  read() {
    return this.input.value === "" ? undefined : this.schema.enum[Number(this.input.value)];
  }
  write(value) {
    const at = this.schema.enum.findIndex((each) => JSON.stringify(each) === JSON.stringify(value));
    this.input.value = at < 0 ? "" : String(at);
  }
  missing() {
    return this.required && this.read() === undefined ? [this.schema.title || this.name] : [];
  }
}

class Constant {
  constructor(schema) {
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
}

// A model within a model. One that may be left out is left out until it is ticked.
class Group {
  constructor(schema, name, required, form) {
    Object.assign(this, { required });
    this.fields = new Fields(schema, form);
    const title = schema.title || name;
    this.given = make("input", { type: "checkbox", "aria-label": title, checked: required, onchange: () => this.open() });
    const legend = required
      ? make("span", { class: "legend" }, title)
      : make("label", { class: "field row" }, make("span", {}, title), this.given);
    this.element = make("fieldset", { "aria-label": title }, legend, about(schema), this.fields.element);
    this.open();
  }
  open() {
    this.fields.element.hidden = !this.given.checked;
  }
  read() {
    return this.given.checked ? this.fields.read() : undefined;
  }
  write(value) {
    this.given.checked = this.required || (value !== undefined && value !== null);
    this.open();
    if (this.given.checked) this.fields.write(value ?? {});
  }
  missing() {
    return this.given.checked ? this.fields.missing() : [];
  }
}

class List {
  constructor(schema, name, required, form) {
    Object.assign(this, { schema, required, form, items: [] });
    const id = `f${++count}`;
    this.place = make("div", {});
    const add = make("button", { type: "button", class: "add", onclick: () => this.add() }, `+ ${translate("add")}`);
    this.element = make("fieldset", { "aria-label": schema.title || name }, make("span", { class: "legend" }, label(schema, name, required, id)), about(schema), this.place, add);
    if (required && schema.examples?.length) this.write(schema.examples[0]);
  }
  add(value) {
    const field = this.form.make(this.schema.items, String(this.items.length + 1), true);
    const drop = make("button", { type: "button", class: "clear", title: translate("remove"), "aria-label": translate("remove"), onclick: () => {
      this.items = this.items.filter((each) => each !== field);
      row.remove();
    } }, "✕");
    const row = make("div", { class: "item" }, field.element, drop);
    if (value !== undefined) field.write(value);
    this.items.push(field);
    this.place.append(row);
  }
  read() {
    return this.items.length || this.required ? this.items.map((each) => each.read() ?? null) : undefined;
  }
  write(value) {
    this.items = [];
    clear(this.place);
    for (const each of Array.isArray(value) ? value : []) this.add(each);
  }
  missing() {
    return this.items.flatMap((each) => each.missing());
  }
}

// A union: one of several schemas, chosen by title or type.
class Variants {
  constructor(schema, name, required, form) {
    this.variants = schema.anyOf ?? schema.oneOf;
    Object.assign(this, { schema, name, required, form, field: null });
    const id = `f${++count}`;
    const names = this.variants.map((each) => {
      const { schema: found } = form.resolve(each);
      return found.title || found.type || text(found.const ?? found.enum ?? "?");
    });
    this.input = make("select", { id, onchange: () => this.choose(this.input.value) },
      make("option", { value: "" }, required ? translate("choose") : translate("not_given")),
      ...names.map((each, at) => make("option", { value: String(at) }, each)));
    this.place = make("div", {});
    this.element = make("fieldset", { "aria-label": schema.title || name },
      make("label", { class: "field" }, label(schema, name, required, id), this.input, about(schema)), this.place);
    if (required) this.choose("0");
  }
  choose(at) {
    this.input.value = at;
    clear(this.place);
    this.field = at === "" ? null : this.form.make({ ...this.variants[Number(at)] }, this.name, true);
    if (this.field) this.place.append(this.field.element);
  }
  read() {
    return this.field?.read();
  }
  write(value) {
    if (value === undefined || value === null) return this.choose(this.required ? "0" : "");
    const at = this.variants.findIndex((each) => fits(this.form.resolve(each).schema, value, this.form));
    this.choose(String(Math.max(0, at)));
    this.field.write(value);
  }
  missing() {
    return this.field ? this.field.missing() : this.required ? [this.schema.title || this.name] : [];
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

// Any other schema: a text field for JSON.
class Raw {
  constructor(schema, name, required) {
    Object.assign(this, { schema, name, required });
    const id = `f${++count}`;
    this.input = make("textarea", { id, rows: 3, spellcheck: false, placeholder: schema.type === "array" ? "[ … ]" : "{ … }" });
    this.element = make("label", { class: "field" }, label(schema, name, required, id), this.input, about(schema));
    if (required && schema.examples?.length) this.write(schema.examples[0]);
  }
  read() {
    if (this.input.value.trim() === "") return undefined;
    try {
      return JSON.parse(this.input.value);
    } catch {
      return this.input.value;
    }
  }
  write(value) {
    this.input.value = value === undefined ? "" : JSON.stringify(value, null, 2);
  }
  missing() {
    return this.required && this.read() === undefined ? [this.schema.title || this.name] : [];
  }
}
