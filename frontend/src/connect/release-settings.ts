/** Read `name = value` lines; values are JSON (`100`, `true`, `"zstd"`) or plain text. Throws the number of a wrong line. */
export function settingsOf(text: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "" || line.trim().startsWith("#")) return;
    const match = /^\s*([a-z][a-z0-9_]*)\s*=\s*(.+?)\s*$/.exec(line);
    const [, name, value] = match ?? [];
    if (name === undefined || value === undefined) throw new RangeError(String(index + 1));
    try {
      found[name] = JSON.parse(value.replaceAll("_", ""));
    } catch {
      found[name] = value;
    }
  });
  return found;
}
