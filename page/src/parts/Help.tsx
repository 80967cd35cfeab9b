import { COMMANDS } from "../pure/keyboard";
import { Modal } from "./Modal";

/** What keys do. */
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Modal title="Keys" onClose={onClose}>
      <dl className="keys">
        {Object.entries(COMMANDS).map(([key, { does }]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>Enter</kbd>
          </dt>
          <dd>Ask, in the prompt</dd>
        </div>
        <div>
          <dt>
            <kbd>Shift</kbd> <kbd>Enter</kbd>
          </dt>
          <dd>A new line, in the prompt</dd>
        </div>
        <div>
          <dt>
            <kbd>Ctrl</kbd> <kbd>Enter</kbd>
          </dt>
          <dd>Ask or teach, in any field</dd>
        </div>
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Stop answering; close a dialog</dd>
        </div>
      </dl>
      <div className="actions">
        <button type="button" className="main" autoFocus onClick={onClose}>
          Close
        </button>
      </div>
    </Modal>
  );
}
