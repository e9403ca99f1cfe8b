// The picture of a page with the boxes of its lines over it.

const byId = (id) => document.getElementById(id);
const [picture, overlay] = ["picture", "overlay"].map(byId);
const [scroll, stage] = [".scroll", ".stage"].map((selector) => document.querySelector(selector));

const SVG = "http://www.w3.org/2000/svg";
const DENSE_LINE_PX = 14; // boxes of lower lines would cover the text
const ZOOM_STEP = 1.25;
const BLANK_SHEET = { width: 595, height: 842 };
const MARGIN = 32;
const LEAST_SIDE_PX = 60; // of a long strip, which is not shrunk to fit

let zoom = 1;
let lineHeight = 0; // the median of the page, in pixels of the picture

/** Show a picture whose size is not known before it is loaded. */
export async function showPicture(url) {
  clearBoxes();
  picture.src = url;
  await picture.decode().catch(() => {}); // what browsers do not show, a PDF or a TIFF, is a blank sheet
  if (!picture.src.endsWith(url)) return; // another picture came meanwhile
  picture.hidden = !picture.naturalWidth;
  const { width, height } = pictureSize();
  overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  zoomFit();
}

export function showBoxes({ rec_polys: polys, text_word_boxes: words = [] }) {
  overlay.replaceChildren(
    ...polys.map((poly, index) => polygon(poly, { "data-line": index })),
    ...words.flat().map(([left, top, right, bottom]) =>
      polygon([[left, top], [right, top], [right, bottom], [left, bottom]], { class: "word" })),
  );
  const heights = polys.map(([[left, top], , , [x, y]]) => Math.hypot(x - left, y - top)).sort((one, other) => one - other);
  lineHeight = heights[heights.length >> 1] ?? 0;
  setZoom(zoom);
}

export const clearBoxes = () => overlay.replaceChildren();

function polygon(points, attributes) {
  const element = document.createElementNS(SVG, "polygon");
  element.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Mark the box of a line, or none. */
export function mark(line, { isRevealed = false } = {}) {
  overlay.querySelector(".current")?.classList.remove("current");
  const box = overlay.querySelector(`[data-line="${line}"]`);
  if (!box) return;
  box.classList.add("current");
  overlay.append(box); // drawn last, it lies on top
  if (isRevealed) box.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Call functions with the line whose box is under the pointer, or undefined, and with the line clicked. */
export function onPointed(pointed, clicked) {
  const lineOf = (event) => event.target.dataset.line;
  overlay.addEventListener("pointerover", (event) => pointed(lineOf(event)));
  overlay.addEventListener("pointerleave", () => pointed(undefined));
  overlay.addEventListener("click", (event) => lineOf(event) !== undefined && clicked(lineOf(event)));
}

function pictureSize() {
  const { naturalWidth, naturalHeight } = picture;
  return naturalWidth ? { width: naturalWidth, height: naturalHeight } : BLANK_SHEET;
}

function setZoom(factor) {
  zoom = Math.min(Math.max(factor, 0.25), 16);
  const { width, height } = pictureSize();
  const scale = zoom * fittingScale(width, height);
  stage.style.width = `${width * scale}px`;
  stage.style.height = `${height * scale}px`;
  overlay.classList.toggle("dense", lineHeight * scale < DENSE_LINE_PX);
}

/** The scale at which the whole picture fits, except that a strip keeps `LEAST_SIDE_PX` where it can. */
function fittingScale(width, height) {
  const [wide, high] = [(scroll.clientWidth - MARGIN) / width, (scroll.clientHeight - MARGIN) / height];
  const legible = LEAST_SIDE_PX / Math.min(width, height);
  return Math.min(Math.max(Math.min(wide, high), legible), Math.max(wide, high));
}

export const zoomIn = () => setZoom(zoom * ZOOM_STEP);
export const zoomOut = () => setZoom(zoom / ZOOM_STEP);
export const zoomFit = () => setZoom(1);

new ResizeObserver(() => setZoom(zoom)).observe(scroll);
