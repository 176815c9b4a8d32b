// Requests to the server of the playground.

// An error of the server, in words; `errors` lists what is wrong with the data, if the server says so.
class RequestError extends Error {
  constructor(message, errors = []) {
    super(message);
    this.errors = errors;
  }
}

export async function request(path, options = {}) {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const response = await fetch(path, { ...options, body, headers: body ? { "Content-Type": "application/json" } : {} });
  if (response.status === 204) return null;
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new RequestError(content.detail ?? content.title ?? response.statusText, content.errors);
  return content;
}
export const post = (path, body) => request(path, { method: "POST", body });
export const runPath = (run, rest = "") => `/playground/runs/${encodeURIComponent(run)}${rest}`;
