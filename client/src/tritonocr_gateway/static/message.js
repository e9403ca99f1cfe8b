// What is said beside a page: why there is no text, and what to do about it.

import { looksBent } from "./opened-file.js";

const byId = (id) => document.getElementById(id);

const IF_BLANK =
  "If there is text on it, check that the picture is sharp and that letters are at least 10 pixels high. " +
  "Under Options you can choose another language or model, or lower the thresholds of the detection.";

/** Say what there is to say of a page of a file; the page is undefined before it is read. */
export function show(opened, page) {
  const [title, text] = messageOf(opened, page) ?? [];
  byId("message").hidden = title === undefined;
  byId("message-title").textContent = title ?? "";
  byId("message-text").textContent = text ?? "";
  byId("retry").hidden = !["failed", "cancelled"].includes(opened.state);
  byId("flatten").hidden = !canBeFlattened(opened, page);
}

function messageOf(opened, page) {
  const { state, error, pages } = opened;
  if (state === "failed") return ["This file was not read", [error, kept(pages)].filter(Boolean).join(" ")];
  if (state === "cancelled") return ["Cancelled", kept(pages) || "Nothing was read."];
  const problem = page?.prunedResult.error;
  if (problem) return ["This page was not read", problem.message];
  if (page && !page.prunedResult.rec_texts.length) return ["No text was found on this page", IF_BLANK];
  return canBeFlattened(opened, page) ? ["The lines of this picture look bent", "Flattening may read more of them."] : undefined;
}

const kept = (pages) => (pages.length ? `Pages that were read before: ${pages.length}.` : "");

/** Whether the page is a picture that was read as it is, and that flattening may help. */
function canBeFlattened({ state, file, fields }, page) {
  if (state !== "done" || fields.useDocUnwarping || file.type === "application/pdf" || page?.prunedResult.error) return false;
  return !page.prunedResult.rec_texts.length || looksBent(page);
}
