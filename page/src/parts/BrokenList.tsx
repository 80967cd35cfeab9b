import type { Broken, NewEdit } from "../api/types";
import { short } from "../pure/text";

/**
 * Questions that are not answered as they must be.
 *
 * @param fact the edit that would break them, where it was not made
 */
export function BrokenList(props: { broken: readonly Broken[]; fact?: NewEdit }) {
  return (
    <ul className="found" aria-label="Broken">
      {props.broken.map((each, at) => (
        <li key={at}>
          <p className="found-prompt">{each.question.prompt}</p>
          <p className="found-said">{each.answer || "(the model ends at once)"}</p>
          <p className="quiet small">
            {unlike(each)}
            <Whose broken={each} fact={props.fact} />
            {each.commit && (
              <>
                {", since "}
                <code>{short(each.commit)}</code>
              </>
            )}
          </p>
        </li>
      ))}
    </ul>
  );
}

/** Which edit a question is about; one that was not made has no id that anybody knows. */
function Whose({ broken, fact }: { broken: Broken; fact: NewEdit | undefined }) {
  const { prompt, text, edit } = broken.question;
  if (edit === null) return null;
  if (prompt === fact?.prompt && text === fact.target) return ", as the new edit says";
  return (
    <>
      {", as edit "}
      <code>{short(edit)}</code>
      {" says"}
    </>
  );
}

/** What is wrong with an answer. */
function unlike({ question }: Broken): string {
  if (question.kind === "unrelated") return "is not as without edits";
  if (question.kind === "must say") return `does not say “${question.text}”`;
  if (question.kind === "must never say") return `says “${question.text}”`;
  return `does not begin with “${question.text}”`;
}
