import type { TuttiError } from "@tutti/protocol";

/** A request over HTTP, as far as the core knows it: whole, with its body, and parsed as far as HTTP goes. */
export interface HttpRequest {
  /** As it was sent; methods are in capitals. */
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
  /** The path as it was sent: nothing is decoded or resolved. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HttpHeaders;
  /** At most as long as its {@link HttpService} takes; empty where none was sent. */
  readonly body: Uint8Array;
  /** Of the other end; empty where it is not known. */
  readonly remoteAddress: string;
}

/** By lower-case name. Of most that came twice, HTTP makes one. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface HttpHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpAnswer extends HttpHead {
  /** Text is sent as UTF-8. */
  readonly body?: string | Uint8Array;
}

/** What whoever answers wants to hear of the exchange; the transport calls it. */
export interface HttpListener {
  /** What a {@link HttpExchange.write} left buffered has left. Owed after each that did. */
  drained(): void;
  /** Nothing can be written any more: the client has gone, or what was ended has left. Called once. */
  closed(): void;
}

/**
 * One request's answer: either whole, by {@link answer}, or a stream: {@link begin}, any number of {@link write}, {@link end}. Nothing throws; what cannot be
 * sent any more is dropped, and `closed` tells why.
 */
export interface HttpExchange {
  readonly phase: "unanswered" | "streaming" | "over";
  /** What was written and has not left this process yet, in bytes. */
  readonly bufferedBytes: number;
  /** Who hears of this exchange, from when it is set on. One at a time: an object that lives as long as the answer, so that waiting takes no closures. */
  listener: HttpListener | undefined;
  /** A header of whatever is answered; it goes where the answer has one of the same name. */
  setHeader(name: string, value: string): void;
  /** Answers, whole. To a `HEAD` the body is left out by the transport. */
  answer(answer: HttpAnswer): void;
  /** Begins a stream; the head leaves at once. */
  begin(head: HttpHead): void;
  /** Writes more of the stream, in order, with as few system calls as it can: with one where there is one chunk. */
  write(chunks: readonly Uint8Array[]): void;
  /** Ends the stream properly: the client can tell that it is whole. */
  end(): void;
  /** Ends at once, whatever was written: the client can tell that it is cut. */
  terminate(): void;
}

/** What serves requests over HTTP, without any I/O. */
export interface HttpService {
  /** How long a body may be at most. */
  readonly bodyBytesMax: number;
  /** Whether the path is served here. Others are left to others. */
  takes(path: string): boolean;
  /** Answers, sooner or later. Never throws. */
  serve(request: HttpRequest, exchange: HttpExchange): void;
  /** Answers a request of which the body cannot be had, and so is empty, with the reason. */
  refuse(request: HttpRequest, exchange: HttpExchange, error: TuttiError): void;
}
