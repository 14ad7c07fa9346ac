import { chromium, type Browser } from "playwright-core";

const executablePath = process.env["TUTTI_CHROMIUM"] ?? "";
const isRequired = (process.env["TUTTI_REQUIRE"] ?? "").split(",").includes("chromium");

/** Whether this machine has a Chromium. Without one the browser tests are skipped, unless TUTTI_REQUIRE names it. */
export const hasChromium = executablePath !== "";

if (!hasChromium && isRequired) throw new Error("the browser tests need chromium, which is required and not on this machine");
if (!hasChromium) console.warn("SKIPPED: the browser tests need chromium, which is not on this machine");

/** `cache`: with the back-forward cache, which automation switches off otherwise. */
export function launchChromium(cache: "without back-forward cache" | "with back-forward cache" = "without back-forward cache"): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    ...(cache === "with back-forward cache" && { ignoreDefaultArgs: ["--disable-back-forward-cache"] }),
  });
}
