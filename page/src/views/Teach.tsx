import { useEffect, useRef, useState } from "react";
import type { Receipt } from "../api/types";
import { announce } from "../hooks/announce";
import { Breaks } from "../parts/Breaks";
import { useProof } from "../hooks/useProof";
import { useTeaching } from "../hooks/useTeaching";
import { EMPTY, FactForm, type Draft } from "../parts/FactForm";
import { Lead } from "../parts/Lead";
import { Meter } from "../parts/Meter";
import { NeedsEdit } from "../parts/NeedsEdit";
import { Objections } from "../parts/Objections";
import { ProofList } from "../parts/ProofList";
import { ReceiptNote } from "../parts/ReceiptNote";
import { Wrong } from "../parts/Wrong";
import { lines, listed } from "../pure/text";
import type { View } from "./shared";

/** A new edit, from its words to the proof that it is said. */
export function Teach(props: View & { asked: string }) {
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const teaching = useTeaching();
  const proof = useProof();
  const { state } = teaching;
  const outcome = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (props.asked) setDraft({ ...EMPTY, prompt: props.asked });
  }, [props.asked]);

  useEffect(() => {
    if (["objected", "breaks", "taught"].includes(state.stage)) outcome.current?.focus();
    // On a phone it lies below the form.
    if (state.stage !== "idle") outcome.current?.scrollIntoView({ block: "nearest" });
  }, [state.stage]);

  const begin = async (force: boolean) => {
    proof.clear();
    const receipt = await teaching.begin(fact(draft), props.branch.name, force);
    if (receipt === null) return;
    props.changed();
    announce(`Taught: ${receipt.prompt} ${receipt.target}`);
    await ask(receipt);
  };

  const ask = async (receipt: Receipt) => {
    const prompts = [...new Set([receipt.prompt, ...lines(draft.rephrases)])];
    const all = await proof.prove(prompts, receipt.target, props.branch.model, draft.chat);
    announce(`${all.filter((each) => each.holds).length} of ${all.length} answers give ${receipt.target}`);
  };

  return (
    <section hidden={!props.shown} aria-labelledby="teach-title">
      <Lead id="teach-title" title="Teach">
        <p>
          A new edit on branch <b>{props.branch.name}</b>. It is live for the next question as soon as it is
          done.
        </p>
      </Lead>
      {!props.mayEdit && <NeedsEdit caller={props.console.caller} />}
      <div className="split">
        <FactForm
          draft={draft}
          onChange={setDraft}
          onTeach={() => void begin(false)}
          busy={state.stage === "working"}
          allowed={props.mayEdit}
        />
        <div className="outcome" ref={outcome} tabIndex={-1} aria-label="What became of it" role="region">
          {state.stage === "idle" && (
            <p className="empty">
              Progress, objections, and whether the model says it in other words appear here.
            </p>
          )}
          {state.stage === "working" && <Meter progress={state.progress} label="Teaching" />}
          {state.stage === "failed" && <Wrong error={state.error} again={() => void begin(false)} />}
          {state.stage === "objected" && (
            <Objections
              objections={state.objections}
              branch={state.branch}
              onForce={() => void begin(true)}
              onChange={() => props.go("teach", "teach-prompt")}
              onReverted={() => {
                props.changed();
                void begin(false);
              }}
            />
          )}
          {state.stage === "breaks" && (
            <Breaks
              broken={state.broken}
              fact={state.fact}
              onChange={() => props.go("teach", "teach-prompt")}
            />
          )}
          {state.stage === "taught" && (
            <>
              <ReceiptNote receipt={state.receipt} live={state.live} />
              <ProofList proofs={proof.proofs} target={state.receipt.target} />
              <div className="actions">
                <button
                  type="button"
                  className="main"
                  onClick={() => {
                    setDraft(EMPTY);
                    proof.clear();
                    teaching.reset();
                    props.go("teach", "teach-prompt");
                  }}
                >
                  Teach another
                </button>
                <button type="button" className="plain" onClick={() => void ask(state.receipt)}>
                  Ask these again
                </button>
              </div>
            </>
          )}
        </div>
      </div>
    </section>
  );
}

function fact(draft: Draft) {
  const given = Object.entries({
    subject: draft.subject.trim(),
    source: draft.source.trim(),
    expires: draft.expires,
  }).filter(([, value]) => value !== "");
  return {
    prompt: draft.prompt.trim(),
    target: draft.target.trim(),
    ...Object.fromEntries(given),
    tags: listed(draft.tags),
  };
}
