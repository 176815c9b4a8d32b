// Named inputs of a block, saved beside the app.
import { newestOf, request } from "./api.js";
import { clear, find, make } from "./dom.js";
import { errorText } from "./problems.js";
import { translate } from "./texts.js";

export class SavedInputs {
  // `block` returns the block's name, `read` the inputs of the form, `write` fills it in.
  constructor(options) {
    Object.assign(this, options, { all: {}, begin: newestOf() });
    find("#saved-name").addEventListener("change", () => this.load(find("#saved-name").value));
    find("#save-inputs").addEventListener("click", () => this.save());
    find("#delete-inputs").addEventListener("click", () => this.delete());
    find("#new-name").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey) return;
      event.preventDefault();
      this.save();
    });
  }

  path(name = "") {
    return `/playground/inputs/${encodeURIComponent(this.block())}${name && `/${encodeURIComponent(name)}`}`;
  }

  async refresh(chosen = "") {
    const isNewest = this.begin();
    const all = await request(this.path()).catch(() => ({}));
    if (!isNewest()) return;
    this.all = all;
    clear(find("#saved-name")).append(...["", ...Object.keys(this.all)].map((name) => make("option", { value: name }, name || translate("choose"))));
    find("#saved-name").value = chosen;
    find("#saved-count").textContent = Object.keys(this.all).length || "";
    find("#delete-inputs").disabled = !chosen;
  }

  load(name) {
    find("#delete-inputs").disabled = !name;
    if (!(name in this.all)) return;
    find("#new-name").value = name;
    this.write(this.all[name]);
  }

  async save() {
    const name = find("#new-name").value.trim();
    await this.act(async () => {
      if (!name) throw new Error(translate("name_first"));
      const { path } = await request(this.path(name), { method: "PUT", body: this.read() });
      await this.refresh(name);
      return translate("saved_inputs", { path });
    });
  }

  async delete() {
    await this.act(async () => {
      await request(this.path(find("#saved-name").value), { method: "DELETE" });
      await this.refresh();
      return "";
    });
  }

  async act(action) {
    try {
      find("#saved-status").textContent = await action();
    } catch (error) {
      find("#saved-status").textContent = errorText(error);
    }
  }
}
