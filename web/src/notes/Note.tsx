/** The note on a turbine that everybody writes at once: CodeMirror over a Yjs text, with the others' cursors. */
import { defaultKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { useEffect, useRef, useState } from "react";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { WebsocketProvider } from "y-websocket";
import { Doc, UndoManager } from "yjs";
import { socketBase } from "../api/api.ts";
import { myself, onRename } from "../state/presence.ts";

type Status = "connected" | "connecting" | "disconnected";

export default function Note({ id, name }: { id: string; name: string }) {
  const holder = useRef<HTMLDivElement>(null);
  const [status, setStatus] = useState<Status>("connecting");
  const [others, setOthers] = useState(0);

  useEffect(() => {
    const parent = holder.current;
    if (!parent) return;
    const doc = new Doc();
    const text = doc.getText("note");
    // Through the node and not from tab to tab: what others see has been written down.
    const provider = new WebsocketProvider(`${socketBase}/api/rooms`, `note-${id}`, doc, { disableBc: true });
    const introduce = (): void => provider.awareness.setLocalStateField("user", myself());
    introduce();
    const off = onRename(introduce);
    provider.on("status", (event: { status: Status }) => setStatus(event.status));
    provider.awareness.on("change", () => setOthers(Math.max(0, provider.awareness.getStates().size - 1)));
    const undo = new UndoManager(text);
    const view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text.toString(),
        extensions: [
          keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": `Shared note on ${name}` }),
          placeholder("Write what the next person should know. Everyone here sees it at once."),
          yCollab(text, provider.awareness, { undoManager: undo }),
        ],
      }),
    });
    // y-codemirror draws the others' carets; tests find them by a name of ours.
    const mark = new MutationObserver(() => {
      for (const caret of parent.querySelectorAll(".cm-ySelectionCaret:not([data-testid])")) {
        caret.setAttribute("data-testid", "remote-cursor");
      }
    });
    mark.observe(parent, { childList: true, subtree: true });
    return () => {
      mark.disconnect();
      off();
      view.destroy();
      provider.destroy();
      undo.destroy();
      doc.destroy();
    };
  }, [id, name]);

  return (
    <section className="note" aria-label={`Shared note on ${name}`}>
      <h3>
        Note
        <small>
          {status !== "connected"
            ? "reconnecting, what you write is kept"
            : others > 0
              ? `${others} other${others > 1 ? "s" : ""} here`
              : "shared, saved as you write"}
        </small>
      </h3>
      <div ref={holder} className="editor" data-testid="note-editor" />
    </section>
  );
}
