// The form of options: made from `GET /options`, and read as the fields of a request.

import * as api from "./api.js";

const form = document.getElementById("options");
const toggle = document.getElementById("show-options");
const actions = form.querySelector(".actions");

let isLoaded = false;

export async function load() {
  const [options, models] = await Promise.all([api.options(), api.models()]);
  options.useDocUnwarping.value ||= matchMedia("(pointer: coarse)").matches; // phones send photos of bent pages
  options.maxPages.maximum = options.maxPages.value;
  options.textDetectionModelName.choices = models.textDetection;
  options.textRecognitionModelName.choices = models.textRecognition;
  options.lang.choices = Object.keys(models.languages);
  options.lang.labels = models.languages;
  for (const fieldset of form.querySelectorAll("fieldset")) fieldset.remove();
  const sections = new Map([["Models", section("Models")]]); // the first choice
  for (const [name, option] of Object.entries(options)) {
    if (!sections.has(option.group)) sections.set(option.group, section(option.group));
    sections.get(option.group).append(field(name, option));
  }
  actions.before(...sections.values());
  chooseOneOf("textRecognitionModelName", "lang");
  isLoaded = true;
}

export const areLoaded = () => isLoaded;

/** Choosing one of two options resets the other one: a language stands for a recognition model. */
function chooseOneOf(...names) {
  const [one, other] = names.map((name) => form.elements[name]);
  for (const [chosen, reset] of [[one, other], [other, one]]) chosen.addEventListener("change", () => (reset.value = ""));
}

function section(title) {
  const fieldset = element("fieldset", {});
  fieldset.append(element("legend", { textContent: title }));
  return fieldset;
}

function field(name, option) {
  const label = element("label", { title: option.description });
  const input = control(option);
  input.name = name;
  if (option.type === "bool") {
    label.className = "switch";
    label.append(input, ` ${option.title}`);
  } else label.append(`${option.title} `, input);
  return label;
}

/** Make the control of an option; "Reset" goes back to the option's value. */
function control({ type, value, minimum, maximum, choices, labels = {} }) {
  if (type === "bool") return element("input", { type: "checkbox", checked: value, defaultChecked: value });
  if (choices.length) return choice(choices, labels, value);
  if (type === "str") return element("input", { autocomplete: "off", spellcheck: false, maxLength: 20 });
  const shown = type === "int" ? value : Number(value.toPrecision(6));
  const input = element("input", { type: "number", step: type === "int" ? 1 : "any" });
  input.min = minimum;
  input.max = maximum;
  input.value = input.defaultValue = shown;
  return input;
}

function choice(choices, labels, value) {
  const select = element("select", {});
  if (value === null) select.append(new Option("server’s default", "", true, true));
  for (const name of choices) select.append(new Option(labels[name] ?? name, name, name === value, name === value));
  return select;
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
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

export function set(name, value) {
  form.elements[name].checked = value;
}

export function onReadAgain(readAgain) {
  toggle.addEventListener("click", () => {
    form.hidden = !form.hidden;
    toggle.setAttribute("aria-expanded", String(!form.hidden));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!form.hidden && matchMedia("(max-width: 899px)").matches) toggle.click(); // the result is below the form
    readAgain();
  });
}
