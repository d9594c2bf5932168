import { PlatformError, tell } from "../client/errors";

/** What went wrong, in words, with its reason for whoever is asked for help. */
export function Problem({ problem, retry }: { readonly problem: unknown; readonly retry?: () => void }) {
  const known = problem instanceof PlatformError ? problem : undefined;
  return (
    <div className="note bad stack tight" role="alert">
      <p>{tell(problem)}</p>
      {known && known.reason !== "UNKNOWN" && (
        <p className="small soft">
          {known.reason}
          {known.requestId && ` · ${known.requestId}`}
        </p>
      )}
      {retry && (
        <p>
          <button type="button" className="button tight" onClick={retry}>
            Try again
          </button>
        </p>
      )}
    </div>
  );
}
