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
  let answer;
  try {
    answer = await fetch(path, { ...request, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The gateway does not answer.", 0);
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new ApiError(body.errorMsg ?? `The gateway answered ${answer.status}.`, answer.status);
}

export const models = async () => (await call("models")).json();

export const options = async () => (await call("options")).json();

/** Read a file with the given fields, and answer as the media type says; the signal cancels the work. */
export function read(file, fields, { accept = "application/json", signal } = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file, file.name);
  return call("ocr", { method: "POST", body: form, headers: { Accept: accept }, signal });
}
