import { useState } from "react";
import type { Broken, Report, Row } from "../api/types";
import { counted, short } from "../pure/text";
import { ConfirmRevert } from "./ConfirmRevert";
import { Fact } from "./Fact";

/** What a check found. */
export function ReportNote(props: { report: Report; branch: string; changed: () => void }) {
  const { report, branch } = props;
  const [taking, setTaking] = useState<Row | null>(null);
  const total = report.asked + report.skipped;
  return (
    <div className="report">
      <p className={report.passed ? "result good" : "result bad"}>
        {report.passed ? "Everything holds" : `${total - report.broken.length} of ${total} hold`}
      </p>
      <p className="quiet small">
        {report.asked} asked on {branch}, {report.skipped} known
        {report.why_skipped && `: ${report.why_skipped}`}.
      </p>
      {report.broken.length > 0 && (
        <>
          <h2>Broken</h2>
          <ul className="found">
            {report.broken.map((each, at) => (
              <li key={at}>
                <p className="found-prompt">{each.question.prompt}</p>
                <p className="found-said">{each.answer || "(the model ends at once)"}</p>
                <p className="quiet small">
                  {unlike(each)}
                  {each.commit && (
                    <>
                      {" "}
                      since <code>{short(each.commit)}</code>
                    </>
                  )}
                </p>
              </li>
            ))}
          </ul>
        </>
      )}
      {report.expired.length > 0 && (
        <>
          <h2>Past their last day</h2>
          <ul className="found">
            {report.expired.map((row) => (
              <li key={row.id} className="found-row">
                <Fact prompt={row.prompt} target={row.target} />
                <button type="button" className="link" onClick={() => setTaking(row)}>
                  Take it back…
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      {report.broken.length === 0 && report.expired.length === 0 && (
        <p className="quiet">{counted(total, "question")}, none of them broken, no edit past its last day.</p>
      )}
      {taking && (
        <ConfirmRevert
          edit={taking}
          branch={branch}
          onClose={() => setTaking(null)}
          onDone={() => {
            setTaking(null);
            props.changed();
          }}
        />
      )}
    </div>
  );
}

/** What is wrong with an answer. */
function unlike({ question }: Broken): string {
  if (question.kind === "unrelated") return "is not as without edits";
  if (question.kind === "must say") return `does not say “${question.text}”`;
  if (question.kind === "must never say") return `says “${question.text}”`;
  return `does not begin with “${question.text}”`;
}
