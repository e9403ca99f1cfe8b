// The tabs Lines, Text and JSON.

const tabs = [...document.querySelectorAll("[role=tab]")];

export const selected = () => tabs.find((tab) => tab.ariaSelected === "true").id.replace("tab-", "");

export const select = (name) => show(document.getElementById(`tab-${name}`));

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", ({ key }) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) show(tabs[(index + step + tabs.length) % tabs.length]).focus();
  });
}

function show(chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
  return chosen;
}
