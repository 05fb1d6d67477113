"use strict";
(() => {
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  document.documentElement.classList.add("js");

  // Tables: a click on a heading sorts, a field above the table filters.
  const value = (cell) => {
    const told = cell.dataset.o ?? cell.textContent;
    if (told === "\u2013") return null;
    const number = Number(told.replaceAll(",", ""));
    return told === "inf" ? Infinity : told === "-inf" ? -Infinity : Number.isNaN(number) ? told : number;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  };
  const sort = (table, column, head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    all("[aria-sort]", table).forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [value(row.cells[column]), row]);
    rows.sort(([a], [b]) => (a === null || b === null || !down ? compare(a, b) : compare(b, a)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of all(".fc-sortable")) {
    all("thead th", table).forEach((head, column) => {
      const button = document.createElement("span"); // a real button is not repeated on the pages of a print
      button.setAttribute("role", "button");
      button.tabIndex = 0;
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, column, head));
      button.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        sort(table, column, head);
      });
      head.replaceChildren(button);
    });
    if (table.tBodies[0].rows.length < 8) continue;
    const label = document.createElement("label");
    const field = document.createElement("input");
    const count = document.createElement("output");
    label.className = "find";
    field.type = "search";
    field.placeholder = "attention q8 ...";
    label.append("Only rows with all of these words", field, count);
    table.parentElement.before(label);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length}` : "";
    });
  }

  // The map: one stop of the Tab key; arrows move within.
  let opener = null;
  for (const grid of all(".fc-grid")) {
    const rows = all("tbody tr", grid).map((row) => all("td", row).map((cell) => cell.querySelector("a")));
    const links = rows.flat().filter(Boolean);
    if (!links.length) continue;
    grid.setAttribute("role", "grid");
    grid.parentElement.removeAttribute("tabindex");
    links.forEach((link, place) => (link.tabIndex = place ? -1 : 0));
    const go = (link) => {
      links.forEach((each) => (each.tabIndex = each === link ? 0 : -1));
      link.focus();
    };
    const next = (row, column, down, right) => {
      for (row += down, column += right; rows[row] && column >= 0 && column < rows[row].length; row += down, column += right)
        if (rows[row][column]) return rows[row][column];
      return null;
    };
    grid.addEventListener("keydown", (event) => {
      const link = event.target.closest("a");
      const row = rows.findIndex((each) => each.includes(link));
      if (row < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      const column = rows[row].indexOf(link);
      const moves = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
      const known = rows[row].filter(Boolean);
      const there = moves[event.key] ? next(row, column, ...moves[event.key])
        : event.key === "Home" ? known[0] : event.key === "End" ? known.at(-1) : null;
      if (event.key === " ") link.click();
      else if (there) go(there);
      else if (!(event.key in moves)) return;
      event.preventDefault();
    });
    grid.addEventListener("focusin", (event) => {
      if (event.target.matches("a")) links.forEach((each) => (each.tabIndex = each === event.target ? 0 : -1));
    });
  }

  // Panels: the page keeps them as text, which loads fast; the one that the address names is made of it.
  // Escape closes, and the focus returns to where the panel was opened.
  const kept = document.getElementById("kept").textContent.split("<!--panel-->");
  const place = document.getElementById("panels");
  const show = () => {
    const number = /^#t(\d+)$/.exec(location.hash)?.[1];
    const wanted = number === undefined ? undefined : kept[Number(number)];
    if (wanted === undefined) return place.replaceChildren();
    place.innerHTML = wanted;
    place.firstElementChild.classList.add("open");
    place.firstElementChild.focus({ preventScroll: true });
  };
  const close = () => {
    if (!place.firstElementChild) return;
    const [x, y] = [scrollX, scrollY];
    location.hash = "closed";
    scrollTo(x, y);
    opener?.focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#t']");
    if (link && !link.closest(".panel")) opener = link;
    if (link && link.hash === location.hash) show();
    if (!event.target.closest(".panel .close")) return;
    event.preventDefault();
    close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  addEventListener("hashchange", show);
  show();
})();
