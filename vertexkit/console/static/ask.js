// The question before an action.
import { clear, find, make } from "./dom.js";
import { translate } from "./texts.js";

const dialog = find("#ask");
let answer = () => {};

find("#ask-no").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => answer(null));
dialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const data = dialog.querySelector("textarea");
  let body = {};
  try {
    if (data) body = { data: JSON.parse(data.value || "null") };
  } catch (error) {
    find("#ask-error").textContent = translate("bad_json") + error.message;
    data.focus();
    return;
  }
  answer(body);
  dialog.close();
});

// Asks whether an action is to be carried out; returns its body, or null if the operator cancels.
export function ask({ question, texts, label, event, danger, body = {} }, about) {
  find("#ask-title").textContent = translate(question);
  find("#ask-error").textContent = "";
  clear(find("#ask-text")).append(make("p", { class: "quiet mono" }, about), ...texts.map((text) => make("p", {}, translate(text))));
  clear(find("#ask-fields"));
  if (event) find("#ask-fields").append(make("label", { class: "field" }, make("span", { class: "label" }, translate("c_event_data")), make("textarea", { rows: 5, spellcheck: false }, "{}")));
  find("#ask-yes").textContent = label;
  find("#ask-yes").classList.toggle("danger", Boolean(danger));
  dialog.showModal();
  (dialog.querySelector("textarea") ?? find(danger ? "#ask-no" : "#ask-yes")).focus();
  return new Promise((resolve) => {
    answer = (given) => {
      answer = () => {};
      resolve(given && { ...body, ...given, ...(event ? { name: event } : {}) });
    };
  });
}
