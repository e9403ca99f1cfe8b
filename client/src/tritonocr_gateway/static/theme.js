// Light or dark: as the system wishes, until the button is used.

const root = document.documentElement;
root.dataset.theme = localStorage.getItem("theme") ?? "";

document.getElementById("theme").addEventListener("click", () => {
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});
