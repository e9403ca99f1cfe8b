// The page: a file comes in, is read, and its pages are shown.

import * as api from "./api.js";
import * as options from "./options.js";
import * as viewer from "./viewer.js";

const byId = (id) => document.getElementById(id);
const on = (id, event, act) => byId(id).addEventListener(event, act);

let file; // what was opened
let answer; // what was read of it
let page = 0;
let note = ""; // shown with the result
let reading; // aborts the reading that is under way

// Opening

on("choose", "click", () => byId("file").click());
on("open", "click", () => byId("file").click());
on("file", "change", (event) => {
  const [chosen] = event.target.files;
  event.target.value = ""; // so that the same file can be chosen again
  if (chosen) open(chosen);
});
on("sample", "click", async () => {
  const content = await (await fetch("sample.png")).blob();
  open(new File([content], "sample.png", { type: "image/png" }));
});
addEventListener("paste", (event) => {
  const [pasted] = event.clipboardData.files;
  if (pasted) open(pasted);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.toggle("dragging", event.dataTransfer.types.includes("Files"));
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const { files } = event.dataTransfer;
  if (files.length) open(files[0], files.length);
});

async function open(chosen, count = 1) {
  file = chosen;
  note = count > 1 ? `Only the first of ${count} files was read.` : "";
  byId("file-name").textContent = file.name;
  await readFile();
}

// Reading

async function readFile() {
  reading?.abort();
  const controller = (reading = new AbortController());
  const started = performance.now();
  begin();
  const clock = setInterval(() => say(`Reading… ${seconds(started)}`), 100);
  try {
    const fields = { ...options.fields(), visualize: false, returnPageImage: true, returnText: true };
    const response = await api.read(file, fields, { signal: controller.signal });
    answer = (await response.json()).result;
    await done(seconds(started));
  } catch (error) {
    if (controller === reading) failed(error);
  } finally {
    clearInterval(clock);
    if (controller === reading) byId("cancel").hidden = true;
  }
}

const seconds = (started) => `${((performance.now() - started) / 1000).toFixed(1)} s`;

function begin() {
  answer = undefined;
  setState("reading");
  byId("error").hidden = true;
  byId("cancel").hidden = false;
  byId("retry").hidden = true;
  document.querySelector(".pages").hidden = true;
  for (const id of ["panel-text", "panel-json"]) byId(id).textContent = "";
  viewer.clear();
  const preview = URL.createObjectURL(file);
  viewer.showPicture(preview).finally(() => URL.revokeObjectURL(preview));
}

async function done(duration) {
  page = 0;
  setState("done");
  await showPage();
  const count = answer.ocrResults.reduce((sum, { prunedResult }) => sum + prunedResult.rec_texts.length, 0);
  const lines = count === 0 ? "No text was found" : `${count} ${count === 1 ? "line" : "lines"}`;
  say([`${lines} in ${duration}.`, note, ...(answer.warnings ?? [])].filter(Boolean).join(" "));
}

function failed(error) {
  setState(answer ? "done" : file ? "failed" : "empty");
  say(error.name === "AbortError" ? "Cancelled." : "");
  byId("retry").hidden = !file;
  if (error.name === "AbortError") return;
  byId("key").hidden = error.status !== 401;
  byId("error").textContent = error.message;
  byId("error").hidden = false;
}

on("cancel", "click", () => reading.abort());
on("retry", "click", () => readFile());
options.onReadAgain(() => file && readFile());

function setState(state) {
  document.body.dataset.state = state;
  for (const id of ["copy", "save-txt", "save-json", "save-pdf"]) byId(id).disabled = state !== "done";
}

const say = (text) => (byId("status").textContent = text);

// Showing

async function showPage() {
  const { prunedResult, pageImage, text } = answer.ocrResults[page];
  const shown = answer.ocrResults.length;
  document.querySelector(".pages").hidden = shown === 1;
  byId("page-number").textContent = `${page + 1} / ${shown}`;
  byId("previous").disabled = page === 0;
  byId("next").disabled = page === shown - 1;
  byId("panel-text").textContent = text;
  byId("panel-json").textContent = JSON.stringify(prunedResult, null, 2);
  await viewer.showPicture(`data:image/jpeg;base64,${pageImage}`);
  viewer.showLines(prunedResult);
}

function turn(step) {
  const target = page + step;
  if (!answer?.ocrResults[target]) return;
  page = target;
  showPage();
}

on("previous", "click", () => turn(-1));
on("next", "click", () => turn(1));
on("zoom-in", "click", viewer.zoomIn);
on("zoom-out", "click", viewer.zoomOut);
on("zoom-fit", "click", viewer.zoomFit);
on("boxes", "click", ({ currentTarget }) => {
  const hidden = document.body.classList.toggle("no-boxes");
  currentTarget.setAttribute("aria-pressed", String(!hidden));
});

const SHORTCUTS = {
  ArrowLeft: () => turn(-1),
  ArrowRight: () => turn(1),
  "+": viewer.zoomIn,
  "-": viewer.zoomOut,
  0: viewer.zoomFit,
};
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, [role=tab]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  SHORTCUTS[event.key]?.();
});

const tabs = [...document.querySelectorAll("[role=tab]")];
for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", ({ key }) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) select(tabs[(index + step + tabs.length) % tabs.length]).focus();
  });
}

function select(selected) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === selected));
    tab.tabIndex = tab === selected ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = tab !== selected;
  }
  return selected;
}

// Taking away

const allText = () => answer.ocrResults.map(({ text }) => text).join("\n\n");

on("copy", "click", async ({ currentTarget }) => {
  const isJson = byId("tab-json").getAttribute("aria-selected") === "true";
  const copied = await copyText(isJson ? byId("panel-json").textContent : allText());
  flash(currentTarget, copied ? "Copied" : "Cannot copy");
});
on("save-txt", "click", () => save(allText() + "\n", "txt", "text/plain"));
on("save-json", "click", () => save(JSON.stringify(withoutPictures(), null, 2), "json", "application/json"));
on("save-pdf", "click", async ({ currentTarget }) => {
  currentTarget.disabled = true;
  try {
    const response = await api.read(file, options.fields(), { accept: "application/pdf" });
    save(await response.blob(), "pdf", "application/pdf");
  } catch (error) {
    failed(error);
  } finally {
    currentTarget.disabled = false;
  }
});

function withoutPictures() {
  const pages = answer.ocrResults.map(({ prunedResult }) => ({ prunedResult }));
  return { ...answer, ocrResults: pages };
}

function save(content, suffix, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = `${file.name.replace(/\.[^.]*$/, "")}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Copy over HTTPS by the clipboard API, which browsers do not offer over plain HTTP, or else by a selection. */
async function copyText(text) {
  if (navigator.clipboard) {
    const copied = await navigator.clipboard.writeText(text).then(() => true, () => false);
    if (copied) return true;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "copied";
  area.readOnly = true;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

function flash(button, text) {
  const before = button.textContent;
  button.textContent = text;
  setTimeout(() => (button.textContent = before), 1200);
}

// Theme and key

const root = document.documentElement;
root.dataset.theme = localStorage.getItem("theme") ?? "";
on("theme", "click", () => {
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

on("key", "submit", (event) => {
  event.preventDefault();
  api.useKey(event.target.elements.key.value);
  byId("key").hidden = true;
  start();
});

async function start() {
  byId("error").hidden = true;
  try {
    await options.load();
    if (file && !answer) readFile();
  } catch (error) {
    failed(error);
  }
}

setState("empty");
start();
