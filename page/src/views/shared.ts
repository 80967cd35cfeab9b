/** What every view is given. */

import type { Branch, Console } from "../api/types";
import type { Place } from "../pure/keyboard";

export interface View {
  /** Whether it is shown now. */
  shown: boolean;
  console: Console;
  branch: Branch;
  /** Whether this caller may teach, take back, and look behind answers. */
  mayEdit: boolean;
  /** Something was changed: look again where the server stands. */
  changed: () => void;
  go: (place: Place, focus?: string) => void;
}
