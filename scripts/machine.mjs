// What this machine has: the programs beside Node that some tests use.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Full path of the first of these programs that the machine has, or undefined. */
const find = (/** @type {string[]} */ ...names) => {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const paths = names.flatMap((name) => (name.includes("/") ? [name] : folders.map((folder) => join(folder, name))));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
};

/** A Chromium or Chrome; `TUTTI_CHROMIUM` names one that is not on the path. */
export const findChromium = () => {
  const named = process.env["TUTTI_CHROMIUM"];
  return find(
    ...(named ? [named] : []),
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  );
};
