// Whatever scrolls can be reached by keyboard; and the gallery: rows are sorted by a click on a column's head, and filtered.
// Without this script the pages are whole, too.
(() => {
  const reach = () => {
    for (const each of document.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap")) {
      if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
      else each.removeAttribute("tabindex");
    }
  };
  addEventListener("load", reach);
  addEventListener("resize", reach);
})();

(() => {
  const tables = [...document.querySelectorAll(".fc-gallery table")];
  if (!tables.length) return;

  const worth = (cell) => {
    const order = cell.dataset.o ?? cell.textContent.trim();
    const number = Number(order);
    return order === "" || order === "\u2013" ? null : Number.isNaN(number) ? order : number;
  };
  const before = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));

  const sort = (table, column, down) => {
    const rows = [...table.tBodies[0].rows];
    rows.sort((one, other) => {
      const [a, b] = [worth(one.cells[column]), worth(other.cells[column])];
      if (a === null || b === null) return (a === null) - (b === null); // what is unknown comes last
      return down ? before(b, a) : before(a, b);
    });
    table.tBodies[0].append(...rows);
  };

  for (const table of tables) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down);
      });
    });
  }

  const controls = document.querySelector(".fc-controls");
  const filter = () => {
    const words = controls.querySelector(".fc-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const only = [...controls.querySelectorAll(".fc-only:checked")].map((each) => each.value);
    let seen = 0;
    for (const row of tables.flatMap((table) => [...table.tBodies[0].rows])) {
      const text = row.textContent.toLowerCase();
      const able = row.querySelector("[data-words]").dataset.words.split(" ");
      row.hidden = !(words.every((word) => text.includes(word)) && only.every((each) => able.includes(each)));
      seen += !row.hidden;
    }
    for (const table of tables) {
      table.parentElement.classList.toggle("fc-empty", [...table.tBodies[0].rows].every((row) => row.hidden));
    }
    controls.querySelector(".fc-count").textContent = `${seen} formats`;
  };
  controls.hidden = false;
  controls.addEventListener("input", filter);
  controls.addEventListener("submit", (event) => event.preventDefault());
  filter();
})();
