// Follows the log of a job: <div data-log="/job/log?id=..."> is filled, and what the fields of <form data-log-filter> say decides with what.
"use strict";

(() => {
  const view = document.querySelector("[data-log]");
  const form = document.querySelector("[data-log-filter]");
  const status = document.querySelector("[data-log-status]");
  if (!view || !form) return;

  const mostLines = 5000;
  let run = 0;

  function lineOf({ task, time, kind, text }, search, withTask) {
    const row = document.createElement("div");
    row.className = `log-line ${kind}`;
    const add = (name, content) => row.append(Object.assign(document.createElement("span"), { className: name, textContent: content }));
    if (time) add("log-time", time.slice(11, 23));
    if (withTask) add("log-src", task);
    add("log-text", search ? "" : text);
    if (search) mark(row.lastChild, text, search);
    return row;
  }

  function mark(element, text, search) {
    const lower = text.toLowerCase();
    let at = 0;
    for (;;) {
      const found = lower.indexOf(search.toLowerCase(), at);
      if (found < 0) break;
      element.append(text.slice(at, found), Object.assign(document.createElement("mark"), { textContent: text.slice(found, found + search.length) }));
      at = found + search.length;
    }
    element.append(text.slice(at));
  }

  async function follow() {
    const own = ++run;
    const fields = Object.fromEntries(new FormData(form));
    const withTask = view.hasAttribute("data-log-tasks");
    let cursor = "";
    let count = 0;
    let quiet = 0;
    view.replaceChildren();
    status.textContent = fields.search ? "searching…" : "";
    while (own === run) {
      const url = new URL(view.dataset.log, location.href);
      for (const [name, value] of Object.entries({ ...fields, cursor })) if (value) url.searchParams.set(name, value);
      let piece;
      try {
        const response = await fetch(url, { cache: "no-store" });
        if (!response.ok) throw new Error(`${response.status}`);
        piece = await response.json();
      } catch {
        await new Promise(resolve => setTimeout(resolve, 2000)); // the controller is away: it goes on where it was
        continue;
      }
      if (own !== run) return;
      cursor = piece.cursor;
      count += piece.lines.length;
      const atEnd = view.scrollTop + view.clientHeight >= view.scrollHeight - 40;
      const fresh = document.createDocumentFragment();
      for (const line of piece.lines) fresh.append(lineOf(line, fields.search, withTask));
      view.append(fresh);
      while (view.childElementCount > mostLines) view.firstElementChild.remove();
      if (atEnd && !fields.search) view.scrollTop = view.scrollHeight;
      status.textContent = fields.search
        ? piece.more ? `${count} lines so far…` : `${count} ${count === 1 ? "line has" : "lines have"} it`
        : piece.ended ? "the job has ended" : "live";
      quiet = piece.lines.length > 0 ? 0 : quiet + 1;
      if (!piece.more) await new Promise(resolve => setTimeout(resolve, piece.ended ? 5000 : quiet > 20 ? 1500 : 500));
    }
  }

  let typed;
  form.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(follow, 250); });
  form.addEventListener("submit", event => { event.preventDefault(); clearTimeout(typed); follow(); });
  follow();
})();
