// What only the app model's dashboard does in the browser: new lines of a console are added as they come.
"use strict";

(() => {
  const log = document.querySelector("[data-follow]");
  if (!log) return;
  const most = 5000; // lines in the page; older ones are found by a search, or in the download
  const follow = document.querySelector("[data-follow-switch]");
  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  toEnd();

  // Whoever scrolls up wants to read; at the end again, he follows again.
  log.addEventListener("scroll", () => { if (follow.checked !== atEnd()) follow.checked = atEnd(); });
  follow.addEventListener("change", () => { if (follow.checked) toEnd(); });

  async function fetchLines() {
    const response = await fetch(`${log.dataset.follow}&after=${log.dataset.last}`, { cache: "no-store" });
    if (response.redirected) { location.reload(); return; }
    if (!response.ok) throw new Error(`${response.status}`);
    const html = await response.text();
    log.dataset.last = response.headers.get("X-Last") ?? log.dataset.last;
    if (!html.trim()) return;
    const following = follow.checked;
    const fresh = new DOMParser().parseFromString(html, "text/html");
    log.querySelector(".empty")?.remove();
    for (const line of [...fresh.body.children]) log.append(document.importNode(line, true));
    while (log.children.length > most) log.firstElementChild.remove();
    if (following) toEnd();
  }

  async function run() {
    const offline = document.querySelector("[data-offline]");
    for (;;) {
      await new Promise(resolve => setTimeout(resolve, 500));
      if (document.hidden) continue;
      try {
        await fetchLines();
        offline.hidden = true;
      } catch {
        offline.hidden = false;
      }
    }
  }

  run();
})();
