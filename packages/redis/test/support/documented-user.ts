import { readFile } from "node:fs/promises";

const readme = new URL("../../README.md", import.meta.url);

/** The user of the README, with the rights that it names and no others. */
export const documentedUser = { username: "canvas", password: "password" };

/** What the keys and topics begin with that it may use. */
export const documentedPrefix = "canvas";

/** The line of a configuration that makes it. */
export async function documentedAcl(): Promise<string> {
  const text = /^ACL SETUSER ([^`]+)/m.exec(await readFile(readme, "utf8"))?.[1];
  if (text === undefined) throw new Error("the README does not say which rights a user needs");
  return `user ${text.trim().split(/\s+/).join(" ")}`;
}
