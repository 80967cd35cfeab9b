import type { Receipt } from "../api/types";
import { counted, short } from "../pure/text";
import { duration } from "../pure/time";
import { Fact } from "./Fact";

/** Proof that an edit is stored and live. */
export function ReceiptNote({ receipt }: { receipt: Receipt }) {
  const seconds = Object.values(receipt.seconds).reduce((sum, each) => sum + each, 0);
  return (
    <div className="receipt">
      <h2>
        Live as <code>{short(receipt.id)}</code>
      </h2>
      <Fact prompt={receipt.prompt} target={receipt.target} />
      <p className="quiet small number">
        {counted(receipt.steps, "step")} · loss {receipt.loss.toFixed(3)} · {duration(seconds)} ·{" "}
        {Math.ceil(receipt.bytes / 1024)} KiB · commit <code>{short(receipt.commit)}</code>
      </p>
      {!receipt.said && <p className="bad">The model does not rank every token of the target first.</p>}
    </div>
  );
}
