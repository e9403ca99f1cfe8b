// The opened files, which are read one after the other.

import * as api from "./api.js";
import { OpenedFile } from "./opened-file.js";
import { fields } from "./options.js";

export const files = [];

let isPaused = false; // until the user has given a key
let changed = () => {};

/** Call a function with each file whose state or pages have changed, and with the error that it met. */
export function onChange(listener) {
  changed = listener;
}

export function add(chosen) {
  const added = chosen.map((file) => new OpenedFile(file));
  files.push(...added);
  readWaiting();
  return added;
}

export function readAgain(chosen) {
  for (const opened of chosen) {
    cancel(opened);
    Object.assign(opened, { state: "waiting", error: "", pages: [] });
    changed(opened);
  }
  readWaiting();
}

export function cancel(opened) {
  if (opened.state === "reading") opened.controller.abort();
  else if (opened.state === "waiting") finish(opened, "cancelled");
}

export function cancelAll() {
  for (const state of ["waiting", "reading"]) files.filter((opened) => opened.state === state).forEach(cancel);
}

export function remove(opened) {
  files.splice(files.indexOf(opened), 1);
  cancel(opened);
}

export function resume() {
  isPaused = false;
  readWaiting();
}

async function readWaiting() {
  if (isPaused || files.some(({ state }) => state === "reading")) return;
  const next = files.find(({ state }) => state === "waiting");
  if (!next) return;
  await read(next);
  readWaiting();
}

async function read(opened) {
  const controller = new AbortController();
  const started = performance.now();
  const isReplaced = () => opened.controller !== controller; // by a later reading of the same file
  Object.assign(opened, { state: "reading", fields: fields(), pages: [], started, controller });
  changed(opened);
  try {
    const asked = { ...opened.fields, returnPageImage: true };
    for await (const page of api.readPages(opened.file, asked, controller.signal)) {
      if (isReplaced()) return;
      opened.pages.push(page);
      opened.seconds = (performance.now() - started) / 1000;
      changed(opened);
    }
    finish(opened, "done");
  } catch (error) {
    if (!isReplaced()) fail(opened, error);
  }
}

function fail(opened, error) {
  isPaused = error.status === 401;
  opened.error = error.message;
  const state = isPaused ? "waiting" : error.name === "AbortError" ? "cancelled" : "failed";
  finish(opened, state, error);
}

function finish(opened, state, error) {
  opened.state = state;
  changed(opened, error);
}
