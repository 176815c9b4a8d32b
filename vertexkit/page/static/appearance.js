// The language and the theme of a page: its buttons `#language` and `#theme`, and its fixed texts.
import { find } from "./dom.js";
import { currentLanguage, setLanguage, translate } from "./texts.js";

export function showFixedTexts() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = translate(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", translate(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = translate(element.dataset.placeholder);
  find("#language").textContent = translate("other");
  find("#language").lang = currentLanguage() === "ru" ? "en" : "ru";
  find("#theme").textContent = translate(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

// `onLanguage` is called after the language has been changed, `onTheme` after the theme.
export function makeAppearance({ onLanguage, onTheme = showFixedTexts }) {
  setLanguage(currentLanguage(), false);
  const theme = (name) => (document.documentElement.dataset.theme = name);
  theme(localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  find("#theme").addEventListener("click", () => {
    localStorage.setItem("theme", theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
    onTheme();
  });
  find("#language").addEventListener("click", () => {
    setLanguage(currentLanguage() === "ru" ? "en" : "ru");
    onLanguage();
  });
}
