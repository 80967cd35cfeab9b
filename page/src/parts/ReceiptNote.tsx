import type { Receipt } from "../api/types";
import { counted, short } from "../pure/text";
import { duration } from "../pure/time";
import { Fact } from "./Fact";

/** Proof that an edit is stored, and whether it is live. */
export function ReceiptNote({ receipt, live }: { receipt: Receipt; live: boolean }) {
  const seconds = Object.values(receipt.seconds).reduce((sum, each) => sum + each, 0);
  return (
    <div className="receipt">
      <h2>
        {live ? "Live" : "Stored"} as <code>{short(receipt.id)}</code>
      </h2>
      <Fact prompt={receipt.prompt} target={receipt.target} />
      <p className="quiet small number">
        {counted(receipt.steps, "step")} · loss {receipt.loss.toFixed(3)} · {duration(seconds)} ·{" "}
        {Math.ceil(receipt.bytes / 1024)} KiB · commit <code>{short(receipt.commit)}</code>
      </p>
      {!live && <p className="bad">The server does not answer with it yet; ask again in a while.</p>}
      {!receipt.said && <p className="bad">The model does not rank every token of the target first.</p>}
    </div>
  );
}
