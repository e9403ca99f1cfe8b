// The page: files come in, are read, and their pages are shown.

import * as api from "./api.js";
import * as fileList from "./file-list.js";
import * as lines from "./lines.js";
import * as message from "./message.js";
import { onOpen } from "./opening.js";
import { correct, pageText } from "./opened-file.js";
import * as options from "./options.js";
import * as queue from "./queue.js";
import { copyText, save, saveAll } from "./saving.js";
import * as tabs from "./tabs.js";
import "./theme.js";
import * as viewer from "./viewer.js";

const byId = (id) => document.getElementById(id);
const on = (id, event, act) => byId(id).addEventListener(event, act);

const DOWNLOADS = ["copy", "save-txt", "save-md", "save-json", "save-hocr", "save-pdf"];
const MEDIA_TYPES = { md: "text/markdown", hocr: "text/vnd.hocr+html", pdf: "application/pdf" };

let shown; // the file that is shown
let pageIndex = 0;

// Files

onOpen((files, folders = []) => {
  if (folders.length) complain(`Folders are not opened: ${folders.join(", ")}. Drop the files in them.`);
  if (!files.length) return;
  if (!folders.length) byId("error").hidden = true;
  const [first] = queue.add(files);
  select(first);
});

function select(opened) {
  shown = opened;
  pageIndex = 0;
  fileList.show(shown, { onSelect: select, onRemove: remove });
  showFile();
  if (shown && !shown.pages.length) showPreview();
}

function remove(opened) {
  const index = queue.files.indexOf(opened);
  queue.remove(opened);
  select(opened === shown ? queue.files[Math.min(index, queue.files.length - 1)] : shown);
}

queue.onChange((opened, error) => {
  if (error?.status === 401) byId("key").hidden = false;
  fileList.update(opened);
  if (opened !== shown) return;
  const isRestarted = opened.state === "reading" && !opened.pages.length;
  if (isRestarted) showPreview();
  showFile();
});

function showPreview() {
  pageIndex = 0;
  const preview = URL.createObjectURL(shown.file);
  viewer.showPicture(preview).finally(() => URL.revokeObjectURL(preview));
}

// What is shown of the file

function showFile() {
  const state = shown?.state ?? "empty";
  document.body.dataset.state = state;
  document.body.classList.toggle("has-page", Boolean(shown?.pages.length));
  byId("file-name").textContent = shown?.name ?? "";
  for (const id of DOWNLOADS) byId(id).disabled = !shown?.pages.length;
  byId("cancel").hidden = !["waiting", "reading"].includes(state);
  if (!shown) return;
  say(statusOf(shown));
  showPage();
}

function statusOf({ name, state, pages, expectedPages, lineCount, seconds, warnings }) {
  if (state === "waiting") return `${name} waits.`;
  if (state === "reading") return pages.length ? `${pages.length} of ${expectedPages} pages are read.` : `Reading ${name}…`;
  if (state !== "done") return "";
  const count = lineCount === 0 ? "No text was found" : `${lineCount} ${lineCount === 1 ? "line" : "lines"}`;
  return [`${count} in ${seconds.toFixed(1)} s.`, ...warnings].join(" ");
}

/** Set the status, which screen readers speak, only when it is another one. */
function say(text) {
  if (byId("status").textContent !== text) byId("status").textContent = text;
}

let drawn; // the page that is drawn

function showPage() {
  const page = shown.pages[pageIndex];
  const count = shown.pages.length;
  document.querySelector(".pages").hidden = count < 2;
  byId("page-number").textContent = `${pageIndex + 1} / ${count}`;
  byId("previous").disabled = pageIndex === 0;
  byId("next").disabled = pageIndex >= count - 1;
  message.show(shown, page);
  if (page === drawn) return;
  drawn = page;
  showTexts(page);
  if (page) drawPage(page);
  else lines.clear();
}

async function drawPage(page) {
  lines.show(page);
  if (page.pageImage) await viewer.showPicture(`data:image/jpeg;base64,${page.pageImage}`);
  if (page === drawn) viewer.showBoxes(page.prunedResult);
}

function showTexts(page) {
  byId("panel-text").textContent = page ? pageText(page) : "";
  byId("panel-json").textContent = page ? JSON.stringify(page.prunedResult, null, 2) : "";
}

function turn(step) {
  if (!shown?.pages[pageIndex + step]) return;
  pageIndex += step;
  showPage();
}

lines.onCorrected((line, text) => {
  correct(drawn, line, text);
  showTexts(drawn);
});

setInterval(() => {
  const isReading = shown?.state === "reading";
  byId("clock").textContent = isReading ? `${((performance.now() - shown.started) / 1000).toFixed(1)} s` : "";
}, 100);

// Controls

on("cancel", "click", () => queue.cancel(shown));
on("cancel-all", "click", queue.cancelAll);
on("retry", "click", () => queue.readAgain([shown]));
on("retry-all", "click", () => queue.readAgain(queue.files.filter(({ state }) => ["failed", "cancelled"].includes(state))));
on("flatten", "click", () => {
  options.set("useDocUnwarping", true);
  queue.readAgain([shown]);
});
options.onReadAgain(() => shown && queue.readAgain([shown]));
on("read-all-again", "click", () => queue.readAgain([...queue.files]));

on("previous", "click", () => turn(-1));
on("next", "click", () => turn(1));
on("zoom-in", "click", viewer.zoomIn);
on("zoom-out", "click", viewer.zoomOut);
on("zoom-fit", "click", viewer.zoomFit);
on("boxes", "click", ({ currentTarget }) => {
  const isHidden = document.body.classList.toggle("no-boxes");
  currentTarget.setAttribute("aria-pressed", String(!isHidden));
});

const SHORTCUTS = {
  ArrowLeft: () => turn(-1),
  ArrowRight: () => turn(1),
  "+": viewer.zoomIn,
  "-": viewer.zoomOut,
  0: viewer.zoomFit,
};
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, [role=tab]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  SHORTCUTS[event.key]?.();
});

// Copies and downloads

on("copy", "click", async ({ currentTarget }) => {
  const isCopied = await copyText(tabs.selected() === "json" ? byId("panel-json").textContent : shown.text);
  flash(currentTarget, isCopied ? "Copied" : "Not copied");
  say(isCopied ? "The text is in the clipboard." : "The browser does not allow copying. Select the text under “Text”, and press Ctrl+C.");
  if (!isCopied) tabs.select("text");
});
on("save-txt", "click", () => save(shown.text + "\n", `${shown.stem}.txt`));
on("save-json", "click", () => save(shown.json, `${shown.stem}.json`));
on("save-zip", "click", () => saveAll(queue.files));
for (const suffix of Object.keys(MEDIA_TYPES)) on(`save-${suffix}`, "click", ({ currentTarget }) => saveFromServer(currentTarget, suffix));

/** Save the document that the server makes of the file and of the corrections. */
async function saveFromServer(button, suffix) {
  const { file, fields, corrections, stem } = shown;
  const asked = { ...fields, ...(corrections.length && { corrections: JSON.stringify(corrections) }) };
  button.disabled = true;
  byId("error").hidden = true;
  try {
    const response = await api.read(file, asked, { accept: MEDIA_TYPES[suffix] });
    save(await response.blob(), `${stem}.${suffix}`);
  } catch (error) {
    complain(`${stem}.${suffix} is not saved. ${error.message}`);
  } finally {
    button.disabled = false;
  }
}

function flash(button, text) {
  button.textContent = text;
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// Start

function complain(text) {
  byId("error-text").textContent = text;
  byId("error").hidden = false;
}

async function start() {
  byId("error").hidden = true;
  try {
    await options.load();
    queue.resume();
  } catch (error) {
    byId("key").hidden = error.status !== 401;
    complain(error.message);
  }
  byId("reload").hidden = options.areLoaded();
}

on("reload", "click", start);
on("key", "submit", (event) => {
  event.preventDefault();
  api.useKey(event.target.elements.key.value);
  byId("key").hidden = true;
  start();
});

showFile();
start();
