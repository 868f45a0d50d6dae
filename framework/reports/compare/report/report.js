"use strict";
// Sorting: a press on a column's head sorts by it, another the other way round. Numbers begin with the greatest; cells
// without a number stand last either way.
const number = (text) => parseFloat(text.match(/^[+-]?\d*\.?\d+(?=\s|$)/)?.[0]);

function sort(table, column, head) {
  const body = table.tBodies[0];
  const text = (row) => row.cells[column].textContent.trim();
  const rows = [...body.rows];
  const numeric = rows.some((row) => !isNaN(number(text(row))));
  const now = head.getAttribute("aria-sort");
  const down = now ? now === "ascending" : numeric;
  const sign = down ? -1 : 1;
  const compare = (a, b) => {
    if (!numeric) return sign * text(a).localeCompare(text(b), "en", {numeric: true});
    const [x, y] = [number(text(a)), number(text(b))];
    return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
  };
  rows.sort(compare).forEach((row) => body.append(row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
}

for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, column, head));
    head.append(button);
  });
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
