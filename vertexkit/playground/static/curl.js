// A run as a command of a shell: it gets a token, and calls the block with the inputs of the run.
const PLACE = "TOKEN";

function parts(inputs, quote) {
  const body = JSON.stringify({ token: PLACE, ...inputs });
  const at = body.indexOf(PLACE); // the first one: the token is the first field
  return [quote(body.slice(0, at)), quote(body.slice(at + PLACE.length))];
}

// For sh, bash and zsh: inside single quotes nothing is special, not even ! and line breaks.
export function shellCommand(origin, block, inputs) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const [before, after] = parts(inputs, quote);
  const token = `$(curl -s ${quote(`${origin}/token?block=${encodeURIComponent(block)}`)})`;
  return `curl -s ${quote(`${origin}/blocks/${block}`)} -H 'content-type: application/json' -d ${before}"${token}"${after}`;
}

// For PowerShell, whose curl is another program, and which takes typographic quotes for quotes.
export function powershellCommand(origin, block, inputs) {
  const quote = (text) => `'${text.replace(/['\u2018-\u201b]/g, "$&$&")}'`;
  const [before, after] = parts(inputs, quote);
  const token = `(Invoke-RestMethod ${quote(`${origin}/token?block=${encodeURIComponent(block)}`)})`;
  const body = `[Text.Encoding]::UTF8.GetBytes(${before} + ${token} + ${after})`;
  return `Invoke-RestMethod ${quote(`${origin}/blocks/${block}`)} -Method Post -ContentType 'application/json' -Body (${body})`;
}
