"use strict";
(() => {
  document.documentElement.classList.add("js");

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // The photos behind a cell of the confusion matrix, or behind a row of it.
  const dialog = document.getElementById("look");
  let behind;

  const figure = ([path, answered, real, thumbnail], truth, answer) => {
    const lines = [element("span", {}, `${behind.labels[answer]} ${answered.toFixed(0)}\u00a0%`)];
    if (truth !== answer) {
      lines.push(element("span", {}, `is ${behind.labels[truth]} ${real.toFixed(0)}\u00a0%`));
    }
    const picture = thumbnail
      ? element("img", { src: thumbnail, alt: path, title: path })
      : element("div", { className: "gone" }, "cannot be read");
    return element("figure", { className: `photo ${truth === answer ? "right" : "wrong"}` },
      picture,
      element("figcaption", {}, ...lines, element("span", { className: "path" }, path)));
  };

  const show = (title, keys) => {
    const gallery = dialog.querySelector(".gallery");
    let shown = 0, count = 0;
    gallery.replaceChildren();
    for (const key of keys) {
      const [truth, answer] = key.split("-").map(Number);
      for (const photo of behind.photos[key] ?? []) {
        gallery.append(figure(photo, truth, answer));
        shown += 1;
      }
      count += behind.counts[key];
    }
    dialog.querySelector("h2").textContent = title;
    dialog.querySelector(".note").textContent =
      `${count} ${count === 1 ? "photo" : "photos"}` +
      (shown < count ? `, of which the ${shown} surest are kept in this page` : "");
    dialog.showModal();
    dialog.scrollTop = 0;
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-cell], [data-row]");
    if (!opener) return;
    behind ??= JSON.parse(document.getElementById("behind").textContent);
    const { cell, row } = opener.dataset;
    if (cell !== undefined) {
      const [truth, answer] = cell.split("-").map((number) => behind.labels[number]);
      show(truth === answer ? `${truth}, recognised` : `${truth}, taken for ${answer}`, [cell]);
    } else {
      const own = `${row}-${row}`;
      const keys = Object.keys(behind.counts).filter((key) => key.startsWith(`${row}-`));
      keys.sort((a, b) => (a === own) - (b === own) || behind.counts[b] - behind.counts[a]);
      show(behind.labels[row], keys);
    }
  });

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  // Tables that are sorted by the column whose heading is pressed.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      heading.querySelector("button")?.addEventListener("click", () => {
        const numeric = heading.classList.contains("number");
        const first = numeric ? "descending" : "ascending";
        const second = numeric ? "ascending" : "descending";
        const order = heading.getAttribute("aria-sort") === first ? second : first;
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const compare = numeric
          ? (a, b) => Number(value(a)) - Number(value(b))
          : (a, b) => value(a).localeCompare(value(b), undefined, { numeric: true });
        body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
      });
    });
  }
})();
