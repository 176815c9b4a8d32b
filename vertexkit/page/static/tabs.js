// Tabs and lists that work by keyboard.

// Shows the panel of the selected tab; `onSelect` is called with the tab and may reject it by `false`.
export function makeTabs(list, onSelect = () => true) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const visible = () => all.filter((tab) => !tab.hidden);
  const select = (tab) => {
    if (onSelect(tab) === false) return false;
    for (const other of all) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    return true;
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) select(tab);
  });
  list.addEventListener("keydown", (event) => {
    const tabs = visible(), at = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.focus();
    select(tab);
  });
  for (const tab of all) tab.tabIndex = tab.getAttribute("aria-selected") === "true" ? 0 : -1;
}

// One stop of the tab key for a whole list: arrows, Home and End move the focus inside it.
export function makeRoving(list, selector) {
  const items = () => [...list.querySelectorAll(selector)].filter((item) => item.offsetParent !== null);
  list.addEventListener("keydown", (event) => {
    const all = items(), at = all.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (next === undefined || at < 0) return;
    event.preventDefault();
    const item = all[Math.min(Math.max(next, 0), all.length - 1)];
    item.focus();
    item.scrollIntoView({ block: "nearest" });
  });
  list.addEventListener("focusin", (event) => {
    const item = event.target.closest(selector);
    if (item) for (const other of list.querySelectorAll(selector)) other.tabIndex = other === item ? 0 : -1;
  });
}

// Makes the first item reachable if no other one is.
export function refreshRoving(list, selector) {
  const all = [...list.querySelectorAll(selector)];
  if (all.length && !all.some((item) => item.tabIndex === 0)) all[0].tabIndex = 0;
}
