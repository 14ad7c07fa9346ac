// page.ts: what is shown, undone and listened to
import { createClient, indexedDbStorage, select, undoHistory } from "tutti/client";
import { contract } from "./contract.js";

const client = createClient({ url: "/v1/connect", contract, storage: indexedDbStorage() });
const board = client.channel("board:{id}", { id: "7f" });
void board.subscribe();

const count = select(board.state, (notes) => Object.keys(notes).length);
count.subscribe(() => console.log(`${count.getSnapshot()} notes`)); // not where a text changes

client.on("rollback", ({ type, error }) => console.log(`${type} was refused: ${error.code}`));

const history = undoHistory(board, { contract });
history.transact(() => {
  void history.publish("note:add", { id: "new-1", text: "Buy milk" });
  void history.publish("note:edit", { id: "new-1", text: "Buy oat milk" });
});
history.subscribe(() => console.log(history.getSnapshot())); // { canUndo, canRedo }
void history.undo(); // both, at once: also before the server has answered
