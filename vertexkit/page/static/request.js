// Requests to the server of a page.

// An error of the server, in words; `errors` lists what is wrong with the data, if the server says so.
export class RequestError extends Error {
  constructor(message, { errors = [], code = "", status = 0 } = {}) {
    super(message);
    Object.assign(this, { errors, code, status });
  }
}

export async function request(path, { method = "GET", body, headers = {} } = {}) {
  const content = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(path, { method, body: content, headers: content ? { "Content-Type": "application/json", ...headers } : headers });
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new RequestError(answer.detail ?? answer.title ?? response.statusText, { ...answer, status: response.status });
  return answer;
}

// Counts requests whose responses may come in any order: begins one, and returns a function that says
// whether it is still the newest.
export function newestOf() {
  let last = 0;
  return () => {
    const number = (last += 1);
    return () => number === last;
  };
}
