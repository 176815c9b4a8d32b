// Fills the switch of versions with those that versions.js, in the root of the site, names.
// The address of a page ends in VERSION/LANGUAGE/PAGE.html.

(() => {
  "use strict";

  const [version, language, file] = location.pathname.split("/").slice(-3);
  const page = file.replace(/\.html$/, "") || "index";
  const { stable, versions } = window.vertexkitVersions ?? { stable: null, versions: [] };

  // The same page of another version, or its first one if it has no such page.
  function address(name) {
    const has = versions.some((one) => one.name === name && one.pages.includes(page));
    return has
      ? `../../${name}/${language}/${page}.html${location.hash}`
      : `../../${name}/${language}/index.html`;
  }

  function link(name, text) {
    const anchor = document.createElement("a");
    anchor.href = address(name);
    anchor.textContent = text;
    return anchor;
  }

  function fillSwitch(place) {
    const list = document.createElement("ul");
    for (const { name } of versions) {
      const item = document.createElement("li");
      const anchor = link(name, name === stable ? `${name} (${place.dataset.stable})` : name);
      if (name === version) anchor.setAttribute("aria-current", "true");
      item.append(anchor);
      list.append(item);
    }
    place.append(list);
    place.hidden = false;
  }

  function fillNotice(place) {
    const text = version === "latest" ? place.dataset.unreleased : place.dataset.old;
    place.append(`${text} `, link(stable, `${place.dataset.newest} ${stable}`), ".");
    place.hidden = false;
  }

  if (versions.length) {
    document.querySelectorAll(".version-switch").forEach(fillSwitch);
  }
  if (stable && stable !== version) {
    document.querySelectorAll(".version-notice").forEach(fillNotice);
  }
})();
