import type { Progress } from "../api/types";

/** How far something is; before the first news, only that it goes on. */
export function Meter({ progress, label }: { progress: Progress | null; label: string }) {
  const share = progress && progress.total > 0 ? progress.done / progress.total : null;
  return (
    <div className="meter">
      <div className="meter-words">
        <span>{progress?.what ?? label}</span>
        {progress && (
          <span className="number">
            {progress.done} of {progress.total}
          </span>
        )}
      </div>
      <div
        className={share === null ? "meter-track unsure" : "meter-track"}
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={progress?.total ?? 1}
        aria-valuenow={progress?.done}
        aria-valuetext={progress ? `${progress.what}: ${progress.done} of ${progress.total}` : undefined}
      >
        <div className="meter-fill" style={{ width: `${(share ?? 0) * 100}%` }} />
      </div>
    </div>
  );
}
