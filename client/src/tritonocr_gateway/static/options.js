// The form of options: filled from what the server says, read as the fields of a request.

import * as api from "./api.js";

const form = document.getElementById("options");
const toggle = document.getElementById("show-options");

export async function load() {
  const [values, models] = await Promise.all([api.options(), api.models()]);
  values.useDocUnwarping = false; // it is for photographs: of a flat page it loses the margins
  for (const input of form.elements) fill(input, values[input.name]);
  form.elements.maxPages.max = values.maxPages;
  offer(form.elements.textDetectionModelName, models.textDetection);
  offer(form.elements.textRecognitionModelName, models.textRecognition);
}

/** Make a value the one that "Reset" goes back to. */
function fill(input, value) {
  if (value === undefined || value === null) return;
  if (input.type === "checkbox") input.checked = input.defaultChecked = value;
  else if (input.type === "select-one") {
    for (const option of input.options) option.selected = option.defaultSelected = option.value === value;
  } else input.value = input.defaultValue = Number.isInteger(value) ? value : Number(value.toPrecision(6));
}

function offer(select, names) {
  select.replaceChildren(select.options[0], ...names.map((name) => new Option(name, name)));
}

export function fields() {
  const chosen = {};
  for (const input of form.elements) {
    if (!input.name) continue;
    if (input.type === "checkbox") chosen[input.name] = input.checked;
    else if (input.value.trim()) chosen[input.name] = input.value.trim();
  }
  return chosen;
}

export function show(visible) {
  form.hidden = !visible;
  toggle.setAttribute("aria-expanded", String(visible));
}

export function onReadAgain(readAgain) {
  toggle.addEventListener("click", () => show(form.hidden));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    readAgain();
  });
}
