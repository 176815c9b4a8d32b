// A shared worker: one connection to the server for all tabs of the page.
import { receive } from "./connection.js";

const ports = [];
const latest = new Map(); // what a tab that opens later has to know: the state, and the connection

receive((message) => {
  if (message.kind === "state") latest.set("state", message);
  if (message.kind === "connected" || message.kind === "disconnected") latest.set("connection", message);
  for (const port of ports) port.postMessage(message);
});

self.onconnect = (event) => {
  const port = event.ports[0];
  ports.push(port);
  for (const message of latest.values()) port.postMessage(message);
};
