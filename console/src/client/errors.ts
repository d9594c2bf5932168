// What can go wrong, as one kind of error with a reason for code and words for people.
import type { Status } from "../contract/generated";

const ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";

export const UNREACHABLE = "UNREACHABLE";

/** What the platform answered instead of doing what was asked, or that it did not answer. */
export class PlatformError extends Error {
  constructor(
    /** What happened, for people; the platform's own words. */
    message: string,
    /** What happened, for code, as in `UPLOAD_TOO_LARGE`. */
    readonly reason: string,
    /** HTTP status; 0 where there was no answer, or where an operation ended with this. */
    readonly httpStatus = 0,
    /** When to come back, in seconds, where the platform says so. */
    readonly retryAfterS?: number,
    /** Under which the platform's log has the call. */
    readonly requestId = "",
  ) {
    super(message);
    this.name = "PlatformError";
  }

  /** Whether the same call may work in a moment. */
  get isTransient(): boolean {
    return this.reason === UNREACHABLE || this.httpStatus === 429 || this.httpStatus === 502 || this.httpStatus === 503;
  }
}

/** The error of a call that got no answer. */
export function unreachable(): PlatformError {
  return new PlatformError("Praxiscope does not answer. Check the connection; what you entered is still here.", UNREACHABLE);
}

interface Detail {
  readonly "@type"?: string;
  readonly reason?: string;
  readonly retryDelay?: string;
  readonly fieldViolations?: readonly { readonly field?: string; readonly description?: string }[];
}

/** The error in a `google.rpc.Status`, of an answer or of an operation. */
export function errorOfStatus(status: Status, httpStatus = 0, requestId = ""): PlatformError {
  const details = (status.details ?? []) as readonly Detail[];
  const reason = details.find((detail) => detail["@type"] === ERROR_INFO)?.reason ?? "UNKNOWN";
  const delay = details.find((detail) => detail["@type"] === RETRY_INFO)?.retryDelay;
  const violations = details.find((detail) => detail["@type"] === BAD_REQUEST)?.fieldViolations ?? [];
  const said = status.message || "Praxiscope could not do this and did not say why.";
  const words = [said, ...violations.map((item) => `${wordsOf(item.field ?? "")}: ${item.description ?? "not valid"}.`)].join(" ");
  return new PlatformError(words, reason, httpStatus, delay ? Number.parseFloat(delay) : undefined, requestId);
}

/** The error in an answer, whatever stands in it. */
export async function errorOfAnswer(answer: Response): Promise<PlatformError> {
  const requestId = answer.headers.get("x-request-id") ?? "";
  try {
    return errorOfStatus((await answer.json()) as Status, answer.status, requestId);
  } catch {
    return new PlatformError(`Praxiscope answered with ${answer.status} ${answer.statusText}.`, "UNKNOWN", answer.status, undefined, requestId);
  }
}

/** What to tell a person of whatever was thrown. */
export function tell(problem: unknown): string {
  if (problem instanceof PlatformError) return problem.message;
  return "Something in this page went wrong. Reload it; if it happens again, tell whoever runs Praxiscope here.";
}

function wordsOf(field: string): string {
  const last = field.split(".").at(-1) ?? "";
  return last.replace(/_/g, " ");
}
