"use strict";
(() => {
  document.documentElement.classList.add("js");

  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const look = document.getElementById("look");
  const large = document.getElementById("large");
  let data;
  const told = () => (data ??= JSON.parse(document.getElementById("behind").textContent));

  // Copying paths and commands.
  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not allowed to a file in this browser
      const area = element("textarea", { value: text });
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.dataset.was ??= button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = button.dataset.was; }, 1500);
  };
  const fullPath = (path) => `${told().root}/${path}`;

  // The photos behind a cell of the confusion matrix, or behind a row of it.
  let onPage;
  const pictureOf = (path, picture) => {
    if (picture !== "") return picture;
    onPage ??= new Map([...document.querySelectorAll("main [data-photo]")]
      .map((image) => [image.dataset.photo, image.src]));
    return onPage.get(path);
  };

  const figure = ([path, answered, real, kept], truth, answer) => {
    const { labels } = told();
    const lines = [element("span", {}, `${labels[answer]} ${answered.toFixed(0)}\u00a0%`)];
    if (truth !== answer) {
      lines.push(element("span", {}, `is ${labels[truth]} ${real.toFixed(0)}\u00a0%`));
    }
    const source = pictureOf(path, kept);
    const picture = source
      ? element("button", { type: "button", className: "zoom", title: "Enlarge" },
        element("img", { src: source, alt: path }))
      : element("div", { className: "gone" }, "cannot be read");
    const name = element("button", { type: "button", className: "path", title: `Copy the path of ${path}` },
      path);
    name.dataset.copyPath = path;
    return element("figure", { className: `photo ${truth === answer ? "right" : "wrong"}` },
      picture, element("figcaption", {}, ...lines, name));
  };

  const show = (title, keys) => {
    const gallery = look.querySelector(".gallery");
    let shown = 0, count = 0;
    gallery.replaceChildren();
    for (const key of keys) {
      const [truth, answer] = key.split("-").map(Number);
      for (const photo of told().photos[key] ?? []) {
        gallery.append(figure(photo, truth, answer));
        shown += 1;
      }
      count += told().counts[key];
    }
    look.querySelector("h2").textContent = title;
    look.querySelector(".note").textContent =
      `${count} ${count === 1 ? "photo" : "photos"}` +
      (shown < count ? `, of which the ${shown} surest are kept in this page` : "");
    look.showModal();
    look.scrollTop = 0;
  };

  const showCell = (cell) => {
    const [truth, answer] = cell.split("-").map((number) => told().labels[number]);
    show(truth === answer ? `${truth}, recognised` : `${truth}, taken for ${answer}`, [cell]);
  };

  const showRow = (row) => {
    const { counts, labels } = told();
    const own = `${row}-${row}`;
    const keys = Object.keys(counts).filter((key) => key.startsWith(`${row}-`));
    keys.sort((a, b) => (a === own) - (b === own) || counts[b] - counts[a]);
    show(labels[row], keys);
  };

  // A photo as large as the window allows; the arrow keys turn to its neighbours in the gallery.
  let figures = [], place = 0;
  const enlarge = () => {
    const photo = figures[place];
    const path = photo.querySelector(".path").dataset.copyPath;
    const pictures = [...photo.querySelectorAll("img")].map((image) =>
      element("img", { src: image.src, alt: image.alt || path }));
    large.querySelector(".pictures").replaceChildren(...pictures);
    large.querySelector("h2").textContent = path.split("/").pop();
    large.querySelector(".lines").textContent =
      [...photo.querySelectorAll("figcaption span")].map((line) => line.textContent).join(", ");
    large.querySelector("code").textContent = fullPath(path);
    for (const button of large.querySelectorAll("[data-turn]")) {
      button.disabled = !figures[place + Number(button.dataset.turn)];
    }
    if (!large.open) large.showModal();
  };
  const turn = (steps) => {
    if (!figures[place + steps]) return;
    place += steps;
    enlarge();
  };
  large.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") turn(-1);
    if (event.key === "ArrowRight") turn(1);
  });

  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target === look || target === large) return target.close(); // beside the dialog
    const button = target.closest("button, [data-cell]");
    if (!button) return;
    const { cell, row, copy: text, copyPath, turn: steps } = button.dataset;
    if (cell !== undefined) showCell(cell);
    else if (row !== undefined) showRow(row);
    else if (text !== undefined) copy(text, button);
    else if (copyPath !== undefined) copy(fullPath(copyPath), button);
    else if (steps !== undefined) turn(Number(steps));
    else if (button.matches("#large .copy")) copy(large.querySelector("code").textContent, button);
    else if (button.matches(".zoom")) {
      figures = [...button.closest(".gallery").querySelectorAll(".photo")]
        .filter((photo) => photo.querySelector(".zoom"));
      place = figures.indexOf(button.closest(".photo"));
      enlarge();
    }
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

  // Rows of a long table whose class holds what is typed.
  const field = document.querySelector(".find input");
  field?.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of document.querySelector("table.sortable").tBodies[0].rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    }
  });

  // The navigation marks the section that is read.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target.id);
      else seen.delete(target.id);
    }
    const current = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) {
      if (id !== current) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        link.parentElement.scrollLeft = link.offsetLeft - 48; // it may be wider than a phone
      }
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const id of links.keys()) watch.observe(document.getElementById(id));
})();
