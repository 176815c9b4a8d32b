// Requests to the server of the playground.
import { newestOf, request } from "./request.js";

export { newestOf, request };
export const post = (path, body) => request(path, { method: "POST", body });
export const runPath = (run, rest = "") => `/playground/runs/${encodeURIComponent(run)}${rest}`;
