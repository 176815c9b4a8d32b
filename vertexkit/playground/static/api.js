// Requests to the server of the playground.
import { request } from "./request.js";

export { request };
export const post = (path, body) => request(path, { method: "POST", body });
export const runPath = (run, rest = "") => `/playground/runs/${encodeURIComponent(run)}${rest}`;
