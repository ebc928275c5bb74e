/** Tag names as people paste them: from a column, a row, or a sentence with commas. */
export function namesOf(text: string): string[] {
  const pieces = text.split(/[\r\n\t,;，；、]+/).map((piece) => piece.trim().replace(/^["']|["']$/g, ""));
  return [...new Set(pieces.filter((piece) => piece !== ""))];
}
