// The lines of a page in reading order. A line can be corrected: with its button, Enter, F2 or a double click.

import { LOW_SCORE, readingOrder } from "./opened-file.js";
import * as viewer from "./viewer.js";

const list = document.getElementById("lines");

let corrected = () => {};

/** Call a function with a line's index and its new text. */
export function onCorrected(listener) {
  corrected = listener;
}

export function show({ prunedResult: result, corrected: texts = {} }) {
  const items = readingOrder(result).map((line, rank) => item(line, rank, result));
  list.replaceChildren(...items);
  for (const line of Object.keys(texts)) find(line).classList.add("edited");
}

export const clear = () => list.replaceChildren();

function item(line, rank, { rec_texts: texts, rec_scores: scores }) {
  const row = element("li", { tabIndex: rank === 0 ? 0 : -1 });
  row.dataset.line = line;
  row.ariaLabel = texts[line]; // items of a list have no name of their own
  const text = element("span", { textContent: texts[line], className: "text" });
  const score = element("span", { textContent: (100 * scores[line]).toFixed(1), title: "Score in percent" });
  score.className = scores[line] < LOW_SCORE ? "score low" : "score";
  const button = element("button", { type: "button", textContent: "Edit", className: "edit", tabIndex: -1 });
  button.setAttribute("aria-label", `Edit line ${rank + 1}`);
  button.addEventListener("click", () => edit(row));
  row.append(text, score, button);
  return row;
}

const element = (tag, properties) => Object.assign(document.createElement(tag), properties);
const find = (line) => list.querySelector(`[data-line="${line}"]`);
const lineOf = (event) => event.target.closest("[data-line]")?.dataset.line;

/** Put an input in the place of a line's text, until Enter, Escape or a click elsewhere. */
function edit(row) {
  const text = row.querySelector(".text");
  if (!text) return;
  const input = element("input", { value: text.textContent, dir: "auto", spellcheck: false, className: "editor" });
  input.setAttribute("aria-label", "Text of the line");
  let isOpen = true;
  const close = (isKept) => {
    if (!isOpen) return; // a removed input loses the focus, too
    isOpen = false;
    const isChanged = isKept && input.value !== text.textContent;
    if (isChanged) text.textContent = input.value;
    input.replaceWith(text);
    row.focus();
    if (!isChanged) return;
    row.classList.add("edited");
    row.ariaLabel = input.value;
    corrected(Number(row.dataset.line), input.value);
  };
  input.addEventListener("blur", () => close(true));
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) close(true);
    if (event.key === "Escape") close(false);
  });
  text.replaceWith(input);
  input.focus();
}

/** Mark a line and its box, and bring into view the one that is not under the pointer. */
function mark(line, { reveals }) {
  list.querySelector(".current")?.classList.remove("current");
  viewer.mark(line, { isRevealed: reveals === "box" });
  const row = line === undefined ? null : find(line);
  row?.classList.add("current");
  if (reveals === "row") row?.scrollIntoView({ block: "nearest" });
}

function moveFocus(step) {
  const rows = [...list.children];
  const focused = rows.indexOf(document.activeElement);
  const target = rows[Math.min(Math.max(focused + step, 0), rows.length - 1)];
  for (const row of rows) row.tabIndex = row === target ? 0 : -1;
  target?.focus();
}

const KEYS = {
  ArrowDown: () => moveFocus(1),
  ArrowUp: () => moveFocus(-1),
  Home: () => moveFocus(-Infinity),
  End: () => moveFocus(Infinity),
  Enter: edit,
  F2: edit,
};
list.addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.target.tagName !== "LI") return;
  event.preventDefault();
  KEYS[event.key](event.target);
});
list.addEventListener("dblclick", (event) => lineOf(event) && edit(event.target.closest("li")));
list.addEventListener("pointerover", (event) => mark(lineOf(event), { reveals: "box" }));
list.addEventListener("pointerleave", () => mark(undefined, {}));
list.addEventListener("focusin", (event) => mark(lineOf(event), { reveals: "box" }));
viewer.onPointed((line) => mark(line, { reveals: "row" }), (line) => find(line)?.focus());
