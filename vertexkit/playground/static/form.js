// A form generated from a JSON Schema of pydantic. Untouched optional fields are not sent, and what
// a form cannot show is kept: what `write` takes, `read` returns.
import { clear, make } from "./dom.js";
import { Choice, Constant, Flag, Line, Raw } from "./fields.js";
import { Fields, Group, List, Variants } from "./groups.js";
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

  // Returns the names of the members that have no field: they are kept, and sent.
  write(values) {
    this.field?.write(values ?? {});
    return this.field?.unknown() ?? [];
  }

  missing() {
    return this.field?.missing() ?? [];
  }

  // Moves the focus to the first required field without a value.
  focusMissing() {
    [...this.element.querySelectorAll("[aria-required]")].find((input) => !input.value && input.offsetParent)?.focus();
  }

  // Resolves references; returns the schema and whether null is allowed as well.
  resolve(schema) {
    let found = schema, nullable = false;
    for (let depth = 0; depth < 20; depth++) {
      if (found.$ref) {
        const target = found.$ref.replace(/^#\//, "").split("/").reduce((at, key) => at?.[key], this.root) ?? {};
        found = { ...target, ...without(found, "$ref") };
      } else if (found.allOf?.length === 1) {
        found = { ...found.allOf[0], ...without(found, "allOf") };
      } else if (found.anyOf || found.oneOf) {
        const key = found.anyOf ? "anyOf" : "oneOf";
        const others = found[key].filter((each) => each.type !== "null");
        nullable ||= others.length < found[key].length;
        if (isDecimal(others)) return { schema: { ...others.find((each) => each.type === "number"), ...without(found, key), type: "string", format: "decimal" }, nullable };
        if (others.length !== 1) return { schema: { ...found, [key]: others }, nullable };
        found = { ...others[0], ...without(found, key) };
      } else return { schema: found, nullable };
    }
    return { schema: found, nullable };
  }

  // Makes the field of a property. Its label is the property's own title or its name, and not the
  // title of the model that it refers to. A `bare` one has no label: another element names it.
  make(schema, name, required, bare = false) {
    const { schema: found, nullable } = this.resolve(schema);
    const options = { schema: { ...found, title: schema.title }, name, required, nullable, bare, form: this };
    const kind = Array.isArray(found.type) ? found.type.find((each) => each !== "null") : found.type;
    if (found.const !== undefined) return new Constant(options);
    if (found.enum) return new Choice(options);
    if (found.anyOf || found.oneOf) return new Variants(options);
    if (kind === "boolean") return new Flag(options);
    if (kind === "object" && found.properties) return new Group(options);
    if (kind === "array" && found.items) return new List(options);
    if (kind === "object" || kind === "array" || !kind) return new Raw(options);
    return new Line({ ...options, kind });
  }
}

// pydantic writes a Decimal as a number, or a text with a pattern for numbers; with limits, the text
// has no pattern.
function isDecimal(variants) {
  if (variants.length !== 2) return false;
  const number = variants.find((each) => each.type === "number"), string = variants.find((each) => each.type === "string");
  return Boolean(number && string && (string.pattern?.includes("\\d") || Object.keys(number).length > 1));
}
const without = (schema, key) => Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key));
