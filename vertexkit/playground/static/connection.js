// Messages of the server. All tabs share one connection, because a browser opens at most six to a
// server: a shared worker holds it. A browser without shared workers opens one for each tab.
export function listen(handle) {
  if (typeof SharedWorker === "undefined") {
    receive(handle);
    return;
  }
  const worker = new SharedWorker("/static/shared-events.js", { type: "module", name: "vertexkit-events" });
  worker.port.onmessage = (event) => handle(event.data);
  worker.port.start();
}

// Calls back with each message of the server, and with `connected` and `disconnected`.
export function receive(handle) {
  const source = new EventSource("/playground/events");
  source.onmessage = (event) => handle(JSON.parse(event.data));
  source.onopen = () => handle({ kind: "connected" });
  source.onerror = () => handle({ kind: "disconnected" });
}
