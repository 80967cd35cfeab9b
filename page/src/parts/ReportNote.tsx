import { useState } from "react";
import type { Report, Row } from "../api/types";
import { counted } from "../pure/text";
import { BrokenList } from "./BrokenList";
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
          <BrokenList broken={report.broken} />
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
