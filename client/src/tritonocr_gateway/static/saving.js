// What leaves the page: the clipboard and downloads.

import { zip } from "./zip.js";

export function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Save the text and the JSON of each document that was read, and the errors of the others, as one archive. */
export function saveAll(documents) {
  const texts = new Map();
  const read = documents.filter(({ pages }) => pages.length);
  for (const one of read) {
    const stem = freeStem(one.stem, texts);
    texts.set(`${stem}.txt`, one.text + "\n");
    texts.set(`${stem}.json`, one.json);
  }
  const unfinished = documents.filter(({ state }) => state !== "done");
  const notes = unfinished.map(({ name, state, error }) => `${name}: ${state === "failed" ? error : state}\n`);
  if (notes.length) texts.set("not-read.txt", notes.join(""));
  save(zip(texts), "results.zip");
}

function freeStem(stem, texts) {
  for (let number = 1; ; number++) {
    const name = number === 1 ? stem : `${stem} (${number})`;
    if (!texts.has(`${name}.txt`)) return name;
  }
}

/** Copy a text and return whether the browser did so. Browsers offer the clipboard API only over HTTPS. */
export async function copyText(text) {
  if (navigator.clipboard) {
    const isCopied = await navigator.clipboard.writeText(text).then(() => true, () => false);
    if (isCopied) return true;
  }
  return copySelected(text);
}

function copySelected(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "copied";
  area.readOnly = true;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return isCopied;
}
