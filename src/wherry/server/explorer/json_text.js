// JSON as text, laid out anew without being understood: numbers keep every digit, which JSON.parse would not do.

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]|\s+/gs;
const INDENT = "  ";

/** Return *text* laid out in lines, as a list of [kind, text]. Kinds: key, string, number, word, and "" for the rest. */
export function layOut(text) {
  const pieces = [];
  let depth = 0;
  const tokens = text.match(TOKEN)?.filter((token) => token.trim()) ?? [];
  const add = (kind, piece) => pieces.push([kind, piece]);
  const line = () => add("", `\n${INDENT.repeat(depth)}`);
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      add("", token);
      if (next === "}" || next === "]") return;
      depth += 1;
      line();
    } else if (token === "}" || token === "]") {
      const before = tokens[index - 1];
      if (before !== "{" && before !== "[") {
        depth -= 1;
        line();
      }
      add("", token);
    } else if (token === ",") {
      add("", ",");
      line();
    } else if (token === ":") {
      add("", ": ");
    } else {
      add(kindOf(token, next), token);
    }
  });
  return pieces;
}

/** Return *text* laid out in lines; as it is where it isn't JSON. */
export function pretty(text) {
  return isJson(text) ? layOut(text).map(([, piece]) => piece).join("") : text;
}

/** Tell whether *text* is JSON. */
export function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function kindOf(token, next) {
  if (token.startsWith('"')) return next === ":" ? "key" : "string";
  return /[-\d]/.test(token[0]) ? "number" : "word";
}
