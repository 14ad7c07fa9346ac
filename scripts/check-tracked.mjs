// Guards the repository: nothing that a command generates is tracked by git.
import { spawnSync } from "node:child_process";
import { report, root } from "./workspaces.mjs";

const generated = /(^|\/)(node_modules|dist|coverage|test-results|\.tsbuild)\/|\.(tsbuildinfo|tgz)$/;

/** The exit code by which a check says that it could not run here. */
const skipped = 77;

const listing = spawnSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" });
if (listing.status === 0) {
  const files = listing.stdout.split("\0").filter((file) => file !== "");
  const problems = files.filter((file) => generated.test(file)).map((file) => `${file} is generated; take it out with \`git rm --cached\``);
  report("tracked files", problems, `${files.length} files, none of them generated`);
} else {
  console.log("tracked files: this is not a git repository, or there is no git");
  process.exitCode = skipped;
}
