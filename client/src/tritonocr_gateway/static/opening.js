// The ways by which files come in: the file dialog, the clipboard, a drop and the sample.

const byId = (id) => document.getElementById(id);

/** Call a function with the files, and with the names of folders, which are not opened. */
export function onOpen(open) {
  for (const id of ["choose", "open"]) byId(id).addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", ({ target }) => {
    const chosen = [...target.files];
    target.value = ""; // so that the same file can be chosen again
    open(chosen);
  });
  byId("sample").addEventListener("click", async () => {
    const content = await (await fetch("sample.png")).blob();
    open([new File([content], "sample.png", { type: "image/png" })]);
  });
  addEventListener("paste", ({ clipboardData }) => open([...clipboardData.files]));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    const { files, items } = event.dataTransfer;
    const folders = new Set([...items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory).map(({ name }) => name));
    open([...files].filter(({ name }) => !folders.has(name)), [...folders]);
  });
}

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.toggle("dragging", event.dataTransfer.types.includes("Files"));
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
