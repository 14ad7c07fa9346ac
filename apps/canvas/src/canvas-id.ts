/** Digits and letters that are not mistaken for one another: 31 of them, a prime, so that the check below sees every slip of one character. */
const alphabet = "23456789abcdefghjkmnpqrstuvwxyz";
const randomCharacters = 6;

/** A number for `text` in which each place weighs differently. */
function weigh(text: string, weightOf: (place: number) => number): number {
  let sum = 0;
  for (const [place, character] of Array.from(text).entries()) sum += (alphabet.indexOf(character) + 1) * weightOf(place);
  return sum % alphabet.length;
}

function checkOf(text: string): string {
  return alphabet.charAt(weigh(text, (place) => place + 1)) + alphabet.charAt(weigh(text, (place) => (place + 2) ** 2));
}

/** `count` random characters of the alphabet. */
export function randomId(count: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(count));
  return Array.from(bytes, (byte) => alphabet.charAt(byte % alphabet.length)).join("");
}

/** An id for a new canvas: six random characters and two that check them. */
export function newCanvasId(): string {
  const random = randomId(randomCharacters);
  return random + checkOf(random);
}

/**
 * Whether a canvas of this id can exist. The id carries its own proof: what a page made while it was offline is taken in whatever order it
 * arrives, also before the canvas is on the list, while a link with a typing error leads nowhere.
 */
export function isCanvasId(id: string): boolean {
  if (id.length !== randomCharacters + 2 || Array.from(id).some((character) => !alphabet.includes(character))) return false;
  return id.endsWith(checkOf(id.slice(0, randomCharacters)));
}
