// The page's picture with boxes over it, and the lines beside it; what is under the pointer is marked in both.

const byId = (id) => document.getElementById(id);
const [picture, overlay, lines] = ["picture", "overlay", "lines"].map(byId);
const [scroll, stage] = [".scroll", ".stage"].map((selector) => document.querySelector(selector));

const SVG = "http://www.w3.org/2000/svg";
const LOW_SCORE = 0.8;
const DENSE_LINES = 80; // from here on, filled boxes would cover the page
const ZOOM_STEP = 1.25;
const BLANK_SHEET = { width: 595, height: 842 };
const MARGIN = 32;
const LEAST_OF_WIDTH = 0.6;

let zoom = 1;

/** Show a picture whose size is not known before it is loaded. */
export async function showPicture(url) {
  overlay.replaceChildren();
  picture.src = url;
  await picture.decode().catch(() => {}); // what browsers do not show, a PDF or a TIFF, is a blank sheet
  picture.hidden = !picture.naturalWidth;
  const { width, height } = pictureSize();
  overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  setZoom(1);
}

export function showLines(result) {
  const { rec_polys: polys, rec_texts: texts, rec_scores: scores, reading_order: ranks, text_word_boxes: words = [] } = result;
  overlay.classList.toggle("dense", polys.length > DENSE_LINES);
  overlay.replaceChildren(
    ...polys.map((poly, index) => polygon(poly, { "data-line": index })),
    ...words.flat().map(([left, top, right, bottom]) =>
      polygon([[left, top], [right, top], [right, bottom], [left, bottom]], { class: "word" })),
  );
  const order = [...texts.keys()].sort((one, other) => ranks[one] - ranks[other]);
  const items = order.map((index, rank) => item(texts[index], scores[index], index, rank));
  lines.replaceChildren(...(items.length ? items : [nothing()]));
}

export function clear() {
  overlay.replaceChildren();
  lines.replaceChildren();
}

function polygon(points, attributes) {
  const element = document.createElementNS(SVG, "polygon");
  element.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function item(text, score, index, rank) {
  const element = document.createElement("li");
  element.dataset.line = index;
  element.role = "option";
  element.tabIndex = rank === 0 ? 0 : -1;
  element.append(text ? span(text, "") : span("nothing was read here", "none"), span((100 * score).toFixed(1), score < LOW_SCORE ? "score low" : "score"));
  element.lastChild.title = "Score in percent";
  return element;
}

function span(text, className) {
  const element = document.createElement("span");
  element.textContent = text;
  element.className = className;
  return element;
}

function nothing() {
  const element = document.createElement("li");
  element.role = "presentation";
  element.append(span("No text was found on this page.", "none"));
  return element;
}

/** Mark a line and its box, and bring the one that is not under the pointer into view. */
function mark(index, { reveal }) {
  for (const marked of document.querySelectorAll(".current")) marked.classList.remove("current");
  for (const line of lines.children) line.ariaSelected = String(line.dataset.line === index);
  if (index === undefined) return;
  const [line, box] = [lines, overlay].map((parent) => parent.querySelector(`[data-line="${index}"]`));
  for (const element of [line, box]) element.classList.add("current");
  overlay.append(box); // drawn last, it lies on top
  (reveal === "box" ? box : line).scrollIntoView({ block: "nearest", inline: "nearest" });
}

function moveFocus(step) {
  const items = [...lines.querySelectorAll("[data-line]")];
  const focused = items.indexOf(document.activeElement);
  const target = items[Math.min(Math.max(focused + step, 0), items.length - 1)];
  for (const element of items) element.tabIndex = element === target ? 0 : -1;
  target?.focus();
}

function pictureSize() {
  const { naturalWidth, naturalHeight } = picture;
  return naturalWidth ? { width: naturalWidth, height: naturalHeight } : BLANK_SHEET;
}

/** Fit the picture to the width there is, and to the height as far as it stays legible. */
function setZoom(factor) {
  zoom = Math.min(Math.max(factor, 0.25), 16);
  const { width, height } = pictureSize();
  const wide = (scroll.clientWidth - MARGIN) / width;
  const high = (scroll.clientHeight - MARGIN) / height;
  const scale = zoom * Math.min(wide, Math.max(high, LEAST_OF_WIDTH * wide));
  stage.style.width = `${width * scale}px`;
  stage.style.height = `${height * scale}px`;
}

export const zoomIn = () => setZoom(zoom * ZOOM_STEP);
export const zoomOut = () => setZoom(zoom / ZOOM_STEP);
export const zoomFit = () => setZoom(1);

const lineOf = (event) => event.target.closest("[data-line]")?.dataset.line;

overlay.addEventListener("pointerover", (event) => mark(lineOf(event), { reveal: "line" }));
overlay.addEventListener("pointerleave", () => mark(undefined, {}));
overlay.addEventListener("click", (event) => {
  const index = lineOf(event);
  if (index !== undefined) lines.querySelector(`[data-line="${index}"]`).focus();
});
lines.addEventListener("pointerover", (event) => mark(lineOf(event), { reveal: "box" }));
lines.addEventListener("pointerleave", () => mark(undefined, {}));
lines.addEventListener("focusin", (event) => mark(lineOf(event), { reveal: "box" }));
lines.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  moveFocus(step);
});
new ResizeObserver(() => setZoom(zoom)).observe(scroll);
