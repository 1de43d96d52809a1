const filter = document.getElementById("filter");
const found = document.getElementById("found");
const rows = [...document.querySelectorAll("tbody tr:has([data-id])")].filter((row) => !row.closest("article"));
const wanted = new Set();

// What is looked for may be anywhere in the id; of several words each.
function narrow() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (id) => words.every((word) => id.toLowerCase().includes(word));
  const ids = new Set();
  for (const row of rows) {
    const id = row.querySelector("[data-id]").dataset.id;
    const word = row.dataset.word;
    row.hidden = !fits(id) || (wanted.size > 0 && word !== undefined && !wanted.has(word));
    if (!row.hidden) ids.add(id);
  }
  for (const article of document.querySelectorAll("article")) article.hidden = !fits(article.dataset.about);
  for (const room of document.querySelectorAll(".room")) {
    room.hidden = words.length > 0 && !room.querySelector("tbody tr[data-word]:not([hidden]), tbody tr:has([data-id]):not([hidden]), article:not([hidden])");
  }
  found.value = words.length > 0 || wanted.size > 0 ? `${ids.size} found` : "";
}

function value(row, column) {
  const cell = row.cells[column];
  if (cell?.dataset.value !== undefined) return Number(cell.dataset.value);
  return cell?.dataset.id ?? null;
}

function sort(title) {
  const down = title.getAttribute("aria-sort") === "ascending";
  for (const other of title.parentNode.cells) other.removeAttribute("aria-sort");
  title.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = title.closest("table").tBodies[0];
  const key = (row) => value(row, title.cellIndex);
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    const less = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
    return down ? -less : less;
  };
  body.append(...[...body.rows].sort(order));
}

for (const title of document.querySelectorAll("thead th:has(button)")) {
  title.querySelector("button").addEventListener("click", () => sort(title));
}
for (const button of document.querySelectorAll("button[data-word]")) {
  button.addEventListener("click", () => {
    const on = !wanted.has(button.dataset.word);
    if (on) wanted.add(button.dataset.word); else wanted.delete(button.dataset.word);
    button.setAttribute("aria-pressed", on);
    narrow();
  });
}
filter.addEventListener("input", narrow);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== filter) {
    event.preventDefault();
    filter.focus();
  }
  if (event.key === "Escape" && document.activeElement === filter) {
    filter.value = "";
    narrow();
    filter.blur();
  }
});
