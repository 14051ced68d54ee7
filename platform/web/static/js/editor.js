// A code editor over each <textarea data-editor>, which stays the form's field. It lives in a shadow root, where CodeMirror uses
// constructable style sheets, so that the page needs no inline styles.
import * as cm from "../vendor/codemirror/codemirror.js";

const theme = cm.EditorView.theme({
  "&": { backgroundColor: "transparent", color: "var(--fg)", fontSize: "12.5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0 12px 0 8px" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--fg-muted)", border: "0", paddingLeft: "4px" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "var(--bg-subtle)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--accent) 24%, transparent)",
  },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--bg-inset)", outline: "1px solid var(--border-strong)" },
});

const { tags } = cm;
const colours = cm.HighlightStyle.define([
  { tag: [tags.keyword, tags.controlKeyword, tags.operatorKeyword, tags.bool, tags.null], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: [tags.definition(tags.variableName), tags.function(tags.definition(tags.variableName)), tags.className], color: "var(--code-name)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
]);

const indent = [
  { key: "Tab", run: cm.indentMore, shift: cm.indentLess },
];

function extensions(field, label) {
  return [
    cm.lineNumbers(),
    cm.highlightSpecialChars(),
    cm.history(),
    cm.drawSelection(),
    cm.indentOnInput(),
    cm.indentUnit.of("    "),
    cm.EditorState.tabSize.of(4),
    cm.bracketMatching(),
    cm.closeBrackets(),
    cm.highlightActiveLine(),
    cm.python(),
    cm.syntaxHighlighting(colours),
    theme,
    // Control+Enter runs the checks, so the editor leaves it alone
    cm.keymap.of([
      { key: "Mod-Enter", run: () => false },
      ...cm.closeBracketsKeymap,
      ...cm.defaultKeymap.filter(({ key }) => key !== "Mod-Enter"),
      ...cm.historyKeymap,
      ...indent,
    ]),
    cm.EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
    cm.EditorView.updateListener.of((update) => {
      if (!update.docChanged) return;
      field.value = update.state.doc.toString();
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }),
  ];
}

function mount(field) {
  const host = document.createElement("code-editor");
  const root = host.attachShadow({ mode: "open" });
  const label = document.querySelector(`label[for="${CSS.escape(field.id)}"]`);
  field.after(host);
  const view = new cm.EditorView({ doc: field.value, extensions: extensions(field, label?.textContent ?? "Code"), parent: root, root });
  field.hidden = true;
  label?.addEventListener("click", () => view.focus());
  // someone else wrote the field: a draft that was taken over after a conflict
  field.addEventListener("gradlab:replaced", () => {
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: field.value } });
  });
}

for (const field of document.querySelectorAll("textarea[data-editor]")) mount(field);
