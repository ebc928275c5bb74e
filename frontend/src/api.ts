/** The one way to the server: typed requests, errors in both languages, sign-in again without losing the page. */

import { previewHeaders } from "./rights/preview";
import type { Words } from "./types";

const PREFIX = "/api/v1";
const TIMEOUT_MS = 30_000;
const DOWNLOAD_TIMEOUT_MS = 600_000;
/** The server breaks off larger requests while they are sent: what is larger is not sent at all. */
export const UPLOAD_BYTES_MAX = 16 * 2 ** 20;

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly text: Words;
  readonly fields: Record<string, Words>;
  readonly requestId: string;
  /** The record as the server has it now, with a conflict (409). */
  readonly current: unknown;
  /** What a refusal says of each of several things. */
  readonly items: unknown;

  constructor(status: number, body: Partial<ErrorBody>) {
    const text = body.text ?? unreadable(status);
    super(text.en);
    this.status = status;
    this.code = body.code ?? "unknown";
    this.text = text;
    this.fields = body.fields ?? {};
    this.requestId = body.request_id ?? "";
    this.current = body.current;
    this.items = body.items;
  }
}

/** Why something asked for did not happen: in the server's words where it answered. */
export const reasonOf = (error: unknown): Words => (error instanceof ApiError ? error.text : { en: String(error), zh: String(error) });

interface ErrorBody {
  code: string;
  text: Words;
  fields: Record<string, Words>;
  request_id: string;
  current: unknown;
  items: unknown;
}

function unreadable(status: number): Words {
  return {
    en: `The server answered with status ${status} and no explanation. Try again; if it stays, read the server's log.`,
    zh: `服务器返回状态 ${status} 且无说明。可重试；若仍如此，查看服务器日志。`,
  };
}

const unreachable: Words = {
  en: "The server did not answer. What is shown is the last that arrived. Check the network, then try again.",
  zh: "服务器未应答，所示为最后收到的内容。检查网络后重试。",
};

const tooLarge: Words = {
  en: "This file is larger than 16 MB, the most that can be sent at once. Choose a smaller one, or send it in parts.",
  zh: "此文件超过单次上限 16 MB，请选择较小的文件或分批发送。",
};

export type Query = Record<string, string | number | boolean | null | undefined>;
export interface Options {
  query?: Query;
  body?: unknown;
  /** Sent as it is, in place of a JSON body. */
  file?: Blob;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  timeoutMs?: number;
  /** Not repeated by itself after signing in again: what acts on equipment is asked for by a person each time. */
  once?: boolean;
}

/** Called on 401; resolves once the person has signed in again, so that the request can be repeated. */
let signInAgain: (() => Promise<void>) | null = null;
export function onSignedOut(handler: (() => Promise<void>) | null): void {
  signInAgain = handler;
}

function csrfToken(): string {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
  return found ? decodeURIComponent(found.slice("csrftoken=".length)) : "";
}

/** The address of a resource, with the query's empty values left out. */
export function urlOf(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return PREFIX + path + (text === "" ? "" : `?${text}`);
}

async function send(method: string, path: string, options: Options): Promise<Response> {
  if (options.file && options.file.size > UPLOAD_BYTES_MAX) throw new ApiError(413, { code: "limit", text: tooLarge });
  const headers: Record<string, string> = { Accept: "application/json", ...previewHeaders, ...options.headers };
  if (options.file) headers["Content-Type"] ??= "application/octet-stream";
  else if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  const limit = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  try {
    return await fetch(urlOf(path, options.query), {
      method,
      headers,
      body: options.file ?? (options.body === undefined ? null : JSON.stringify(options.body)),
      credentials: "same-origin",
      signal: options.signal ? AbortSignal.any([options.signal, limit]) : limit,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, { code: "unreachable", text: unreachable });
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  return new ApiError(response.status, (await response.json().catch(() => ({}))) as Partial<ErrorBody>);
}

/** Send a request and return the answer itself: for downloads and Arrow streams. Raises ApiError. */
export async function request(method: string, path: string, options: Options = {}): Promise<Response> {
  let response = await send(method, path, options);
  if (response.status === 401 && !path.startsWith("/session") && signInAgain && !options.once) {
    await signInAgain();
    response = await send(method, path, options);
  }
  if (response.ok) return response;
  const error = await errorOf(response);
  if (error.code !== "csrf") throw error;
  // The cookie has gone or is old, as after a sign-in elsewhere: asking for the session sets a new one.
  await send("GET", "/session", {});
  response = await send(method, path, options);
  if (response.ok) return response;
  throw await errorOf(response);
}

async function json<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await request(method, path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) =>
    json<T>("GET", path, { ...(query && { query }), ...(signal && { signal }) }),
  post: <T>(path: string, body?: unknown, signal?: AbortSignal) =>
    json<T>("POST", path, { body: body ?? {}, ...(signal && { signal }) }),
  put: <T>(path: string, body: unknown) => json<T>("PUT", path, { body }),
  patch: <T>(path: string, body: unknown) => json<T>("PATCH", path, { body }),
  delete: (path: string) => json<void>("DELETE", path),
};

/** Save a streamed answer as a file, under the name the server gives. */
export async function download(method: "GET" | "POST", path: string, options: Options, name: string): Promise<void> {
  const response = await request(method, path, {
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
    ...options,
    headers: { Accept: "*/*" },
  });
  const given = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = given?.[1] ?? name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
