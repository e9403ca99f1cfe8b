// The list of several files, each with its progress.

import { files } from "./queue.js";

const byId = (id) => document.getElementById(id);
const list = byId("files");
const template = byId("file-row");

const rows = new Map(); // from a file to its row

/** Make the list anew; it is hidden while there is one file. */
export function show(selected, { onSelect, onRemove }) {
  for (const opened of files) {
    if (!rows.has(opened)) rows.set(opened, row(opened, onSelect, onRemove));
  }
  for (const opened of rows.keys()) if (!files.includes(opened)) rows.delete(opened);
  list.replaceChildren(...files.map((opened) => rows.get(opened)));
  document.body.classList.toggle("several", files.length > 1);
  for (const opened of files) update(opened);
  for (const [opened, element] of rows) element.querySelector(".select").ariaCurrent = String(opened === selected);
}

function row(opened, onSelect, onRemove) {
  const element = template.content.firstElementChild.cloneNode(true);
  element.querySelector(".name").textContent = element.querySelector(".name").title = opened.name;
  element.querySelector(".select").addEventListener("click", () => onSelect(opened));
  const remove = element.querySelector(".remove");
  remove.setAttribute("aria-label", `Remove ${opened.name}`);
  remove.addEventListener("click", () => onRemove(opened));
  return element;
}

/** Show the state of one file, and of all together. */
export function update(opened) {
  const element = rows.get(opened);
  if (!element) return;
  element.dataset.state = opened.state;
  element.querySelector(".state").textContent = stateOf(opened);
  const progress = element.querySelector("progress");
  progress.hidden = opened.state !== "reading";
  if (opened.expectedPages) Object.assign(progress, { max: opened.expectedPages, value: opened.pages.length });
  else progress.removeAttribute("value");
  showTotal();
}

function stateOf(opened) {
  const { state, pages, expectedPages } = opened;
  const lines = `${opened.lineCount} ${opened.lineCount === 1 ? "line" : "lines"}`;
  if (state === "reading") return pages.length ? `page ${pages.length} of ${expectedPages}` : "reading";
  if (state !== "done") return state;
  return pages.length > 1 ? `${pages.length} pages, ${lines}` : lines;
}

function showTotal() {
  const [finished, failed] = [files.filter(({ isFinished }) => isFinished), files.filter(({ state }) => state === "failed")];
  const total = byId("total");
  const text = `${finished.length} of ${files.length} files` + (failed.length ? `, ${failed.length} failed` : "");
  if (total.textContent !== text) total.textContent = text;
  byId("cancel-all").hidden = finished.length === files.length;
  byId("save-zip").disabled = !files.some(({ pages }) => pages.length);
  byId("retry-all").hidden = !files.some(({ state }) => ["failed", "cancelled"].includes(state));
}
