// The gateway's routes, seen from the page. Addresses are relative: a proxy may put the gateway under a path.

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

let key = sessionStorage.getItem("key") ?? "";

export function useKey(value) {
  key = value;
  sessionStorage.setItem("key", value);
}

async function call(path, request = {}) {
  const headers = { ...request.headers, ...(key && { "X-API-Key": key }) };
  const response = await fetch(path, { ...request, headers }).catch(named("The gateway does not answer."));
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new ApiError(body.errorMsg ?? `The gateway answered ${response.status}.`, response.status);
}

/** Return a handler that gives a failed connection a sentence; a cancelled request stays what it is. */
const named = (sentence) => (error) => {
  throw error.name === "AbortError" ? error : new ApiError(sentence, 0);
};

export const models = async () => (await call("models")).json();

export const options = async () => (await call("options")).json();

/** Read a file and return the response in the media type `accept`. */
export async function read(file, fields, { accept, signal }) {
  await file.slice(0, 1).arrayBuffer().catch(named("The browser cannot open this file: it is a folder, or it is gone."));
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file, file.name);
  return call("ocr", { method: "POST", body: form, headers: { Accept: accept }, signal });
}

/** Read a file and yield each page as soon as it is read. */
export async function* readPages(file, fields, signal) {
  const response = await read(file, fields, { accept: "application/x-ndjson", signal });
  for await (const line of linesOf(response.body)) {
    const page = JSON.parse(line);
    if (page.errorCode) throw new ApiError(page.errorMsg, page.errorCode);
    yield page;
  }
}

async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch(named("The connection to the gateway broke."));
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    yield* lines;
  }
}
