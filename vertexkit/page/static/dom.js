import { translate } from "./texts.js";

// Creates DOM elements. Text is added as text nodes, never as markup.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
export const find = (selector) => document.querySelector(selector);
export const clear = (element) => (element.replaceChildren(), element);

// Formats a value as JSON with colours; every part is a text node.
export function json(value) {
  const shown = make("pre", { class: "json" });
  const text = JSON.stringify(value, null, 2) ?? "null";
  const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g;
  let last = 0;
  for (const found of text.matchAll(token)) {
    shown.append(text.slice(last, found.index));
    const kind = found[2] ? "k" : found[1] ? "s" : "n";
    shown.append(make("span", { class: kind }, found[1] ?? found[0]), found[2] ?? "");
    last = found.index + found[0].length;
  }
  shown.append(text.slice(last));
  return shown;
}

const MINUTE = 60, HOUR = 3600, DAY = 86_400;
// Writes seconds as a person reads them: `240 ms`, `1.23 s`, `5 min 20 s`, `2 d 3 h`.
export function formatDuration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ${translate("ms")}`;
  if (seconds < MINUTE) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} ${translate("s")}`;
  const whole = Math.round(seconds);
  const [size, unit, smaller, smallerUnit] = whole < HOUR ? [MINUTE, "min", 1, "s"] : whole < DAY ? [HOUR, "h", MINUTE, "min"] : [DAY, "d", HOUR, "h"];
  const rest = Math.floor((whole % size) / smaller);
  return `${Math.floor(whole / size)} ${translate(unit)}${rest ? ` ${rest} ${translate(smallerUnit)}` : ""}`;
}
