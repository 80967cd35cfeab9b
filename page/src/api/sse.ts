/** Server-sent events out of a response's bytes. The browser's own EventSource sends no API key. */

export interface ServerEvent {
  event: string;
  data: string;
}

export async function* events(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = "";
  let data: string[] = [];
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const each of lines) {
        const line = each.endsWith("\r") ? each.slice(0, -1) : each;
        if (line === "") {
          if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
          event = "";
          data = [];
        } else {
          const [name, value] = field(line);
          if (name === "event") event = value;
          if (name === "data") data.push(value);
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // whoever stops listening also ends the request
  }
}

/** Name and value; a line that begins with a colon is a comment, and has no name. */
function field(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}
