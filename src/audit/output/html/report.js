"use strict";
// Sorts and filters the tables, and draws the addresses of a pool when somebody opens it.
const COLUMNS = 32;
const NAMES = { u: "used", r: "reserved", l: "leaked", c: "in conflict", f: "free" };
const LETTERS = { u: "", r: "R", l: "L", c: "!" };
const SEVERITY = "furlc";
const MAX_LISTED = 2000;
const pictures = JSON.parse(document.getElementById("pictures").textContent);
const pools = document.querySelector("#pools tbody");
const findings = document.querySelector("#findings tbody");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// --- sorting and filtering ---

function sort(heading) {
  const column = [...heading.parentNode.children].indexOf(heading);
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  closeAll();
  const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
  const isNumber = heading.classList.contains("number");
  const collator = new Intl.Collator("en", { numeric: true });
  const compare = isNumber ? (a, b) => a - b : collator.compare;
  const rows = [...pools.rows].map((row) => [isNumber ? Number(value(row)) : value(row), row]);
  rows.sort(([a], [b]) => (descending ? compare(b, a) : compare(a, b)));
  pools.append(...rows.map(([, row]) => row));
}

function filter() {
  const text = document.getElementById("filter").value.trim().toLowerCase();
  const onlyFindings = document.getElementById("only-findings").checked;
  closeAll();
  for (const row of pools.rows) {
    const hasFindings = row.cells[row.cells.length - 1].textContent !== "-";
    row.hidden = !row.textContent.toLowerCase().includes(text) || (onlyFindings && !hasFindings);
  }
  for (const row of findings.rows) row.hidden = !row.textContent.toLowerCase().includes(text);
  for (const [table, name] of [[pools, "pools"], [findings, "findings"]]) {
    const shown = [...table.rows].filter((row) => !row.hidden).length;
    const all = table.rows.length;
    document.getElementById(`${name}-shown`).textContent = shown === all ? "" : `${shown} of ${all} shown`;
  }
}

// --- addresses ---

function format(network, position) {
  const value = BigInt(network.base) + position;
  if (!network.ipv6) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((value >> shift) & 0xffffn).toString(16));
  const text = groups.join(":");
  // The longest run of zeros is left out, the first of equal ones, as RFC 5952 says.
  const runs = text.match(/\b0(?::0\b)+/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return text;
  const at = text.search(new RegExp(`\\b${longest}\\b`));
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}

// Positions are written as distances, in hexadecimal: an IPv6 position has more digits than a number has.
function entries(picture) {
  let position = -1n;
  const distances = picture.positions === "" ? [] : picture.positions.split(" ");
  return distances.map((distance, index) => {
    position += BigInt(`0x${distance}`);
    return { position, state: picture.states[index], owner: picture.owners[index] };
  });
}

// One cell holds one address, or as many as it takes to have at most `MAX_LISTED` cells.
function cellsOf(all) {
  for (let bits = 0n; ; bits += 1n) {
    const cells = new Map();
    for (const entry of all) {
      const cell = entry.position >> bits;
      if (!cells.has(cell)) cells.set(cell, []);
      cells.get(cell).push(entry);
    }
    if (cells.size <= MAX_LISTED) return [bits, cells];
  }
}

function described(entry) {
  return `${NAMES[entry.state]}${entry.owner ? ` (${entry.owner})` : ""}`;
}

function describe(network, cell, bits, members) {
  const first = format(network, cell << bits);
  if (bits === 0n) return members.map((entry) => `${first}: ${described(entry)}`).join("; ");
  const counts = [...SEVERITY].reverse().map((state) => [state, members.filter((it) => it.state === state).length]);
  const free = (1n << bits) - BigInt(new Set(members.map((it) => it.position)).size);
  const parts = counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${NAMES[state]}`);
  return `${first} to ${format(network, ((cell + 1n) << bits) - 1n)}: ${[...parts, `${free} free`].join(", ")}`;
}

function worst(members) {
  return members.map((it) => it.state).reduce((a, b) => (SEVERITY.indexOf(a) < SEVERITY.indexOf(b) ? b : a));
}

function cellElement(network, cell, bits, members) {
  const state = worst(members);
  const made = element("b", LETTERS[state], state);
  made.style.gridColumn = String(Number(cell % BigInt(COLUMNS)) + 1);
  if (bits > 0n && state === "u") made.style.opacity = String(0.35 + 0.65 * Math.min(1, members.length / 2 ** Number(bits)));
  const text = describe(network, cell, bits, members);
  made.title = text;
  made.tabIndex = -1;
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", text);
  return made;
}

function gapElement(cells, bits) {
  const addresses = cells << bits;
  return element("div", `${addresses.toLocaleString("en")} free address${addresses === 1n ? "" : "es"}`, "gap");
}

function grid(network, bits, cells) {
  const made = element("div");
  const end = ((BigInt(network.size) - 1n) >> bits) + 1n;
  const columns = BigInt(COLUMNS);
  const used = [...new Set([...cells.keys()].map((cell) => cell / columns))].sort((a, b) => (a < b ? -1 : 1));
  const rowCount = (end + columns - 1n) / columns;
  const rows = rowCount <= 16n ? Array.from({ length: Number(rowCount) }, (_, row) => BigInt(row)) : used;
  const inRow = new Map(used.map((row) => [row, []]));
  for (const [cell, members] of cells) inRow.get(cell / columns).push([cell, members]);
  let next = 0n;
  for (const row of rows) {
    if (row > next) made.append(gapElement((row - next) * columns, bits));
    next = row + 1n;
    const line = element("div", undefined, "row");
    const drawn = element("div", undefined, "cells");
    for (const [cell, members] of inRow.get(row) ?? []) drawn.append(cellElement(network, cell, bits, members));
    drawn.style.minHeight = "1rem";
    // The network may end before the row does.
    const missing = Number(columns - (end - row * columns < columns ? end - row * columns : columns));
    drawn.style.clipPath = `inset(0 ${(100 * missing) / COLUMNS}% 0 0)`;
    line.append(element("span", format(network, (row * columns) << bits)), drawn);
    made.append(line);
  }
  if (end > next * columns) made.append(gapElement(end - next * columns, bits));
  return made;
}

// Arrow keys go from cell to cell; what is at a cell is said below the grid, for touch as well.
function explore(drawn, at) {
  const cells = [...drawn.querySelectorAll("b")];
  if (cells.length > 0) cells[0].tabIndex = 0;
  const say = (event) => {
    if (event.target.title) at.textContent = event.target.title;
  };
  for (const kind of ["mouseover", "focusin", "click"]) drawn.addEventListener(kind, say);
  drawn.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = cells[cells.indexOf(event.target) + (step ?? NaN)];
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

function listing(network, all) {
  const made = element("details");
  made.append(element("summary", "As text"));
  made.addEventListener("toggle", () => {
    if (made.children.length > 1) return;
    const list = element("ul");
    for (const entry of all.slice(0, MAX_LISTED)) {
      list.append(element("li", `${format(network, entry.position)}: ${described(entry)}`));
    }
    if (all.length > MAX_LISTED) list.append(element("li", `and ${all.length - MAX_LISTED} more`));
    made.append(list);
  });
  return made;
}

function draw(picture) {
  const made = element("div", undefined, "picture");
  if (picture.network === null) {
    made.append(element("p", picture.why));
    return made;
  }
  const { network } = picture;
  const all = entries(picture);
  const [bits, cells] = cellsOf(all);
  const scale = bits === 0n ? "one cell is one address" : `one cell is ${(1n << bits).toLocaleString("en")} addresses`;
  made.append(element("p", `${network.text}, ${scale}. ${picture.why}`, "quiet"));
  const drawn = grid(network, bits, cells);
  const at = element("p", "", "at");
  at.setAttribute("aria-live", "polite");
  explore(drawn, at);
  made.append(drawn, at, listing(network, all));
  return made;
}

function close(button) {
  button.setAttribute("aria-expanded", "false");
  button.closest("tr").nextElementSibling.remove();
}

function closeAll() {
  for (const button of pools.querySelectorAll("[aria-expanded=true]")) close(button);
}

function toggle(button) {
  if (button.getAttribute("aria-expanded") === "true") return close(button);
  button.setAttribute("aria-expanded", "true");
  const row = button.closest("tr");
  const detail = element("tr");
  const cell = element("td");
  cell.colSpan = row.cells.length;
  cell.append(draw(pictures[row.dataset.pool]));
  detail.append(cell);
  row.after(detail);
}

document.querySelector("#pools thead").addEventListener("click", (event) => {
  const heading = event.target.closest("th");
  if (heading) sort(heading);
});
pools.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) toggle(button);
});
document.getElementById("filter").addEventListener("input", filter);
document.getElementById("only-findings").addEventListener("change", filter);
