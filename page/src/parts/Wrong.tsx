import { ServerError } from "../api/client";

/** An error in the server's words, and what to do about it. */
export function Wrong({ error, again }: { error: unknown; again?: (() => void) | undefined }) {
  if (error === null || error === undefined) return null;
  const message = error instanceof Error ? error.message : String(error);
  const remedy = error instanceof ServerError ? whatToDo(error) : "Reload the page.";
  return (
    <div className="wrong" role="alert">
      <p>{message}</p>
      {remedy && <p className="quiet">{remedy}</p>}
      {again && (
        <button type="button" className="plain" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

function whatToDo(error: ServerError): string | null {
  if (error.status === 0) return "Is the server running? Start it with: memoir serve";
  if (error.retryAfter !== null) return `Try again in ${error.retryAfter} s.`;
  return null; // the server's words say it
}
