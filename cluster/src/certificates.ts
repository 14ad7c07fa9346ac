import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { programPath } from "./found-programs.js";

const run = promisify(execFile);

export interface CertificateOptions {
  /** Whom the certificate is for, as OpenSSL writes it: `IP:127.0.0.1,DNS:localhost` unless given. */
  readonly names?: string;
}

/** A certificate for a server, and the authority that it is from, which nobody trusts who is not told to. */
export interface Certificates {
  /** The authority's own certificate, in PEM. */
  readonly authority: string;
  readonly authorityFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  remove(): Promise<void>;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes both, good for two days. Needs `openssl`. */
export async function makeCertificates({ names = "IP:127.0.0.1,DNS:localhost" }: CertificateOptions = {}): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-certificates-"));
  const file = (name: string): string => join(directory, name);
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  const openssl = (...args: readonly string[]): Promise<unknown> => run(programPath("openssl"), [...args], { cwd: directory });
  try {
    await openssl("req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=an authority of the tests", "-keyout", "authority.key", "-out", "authority.pem");
    await openssl("req", ...newKey, "-subj", "/CN=a server of the tests", "-keyout", "server.key", "-out", "server.csr");
    await writeFile(file("names.conf"), `subjectAltName=${names}\n`);
    const from = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"];
    await openssl("x509", "-req", "-in", "server.csr", ...from, "-days", "2", "-extfile", "names.conf", "-out", "server.pem");
    const authority = await readFile(file("authority.pem"), "utf8");
    return { authority, authorityFile: file("authority.pem"), certificateFile: file("server.pem"), keyFile: file("server.key"), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
