// What every page of both dashboards does in the browser. The pages are drawn by the server and work without this; with it they are live.
//
//   <section id="jobs" data-live>            the page is fetched again every two seconds, and what is different in such a part is taken over
//   <section id="jobs" data-live="500">      the same, every 500 ms; the shortest on a page counts
//   <button data-theme-switch>               light, dark, or as the system has it; kept in the cookie "theme", which the server reads
//   <p data-offline hidden>                  shown while the server does not answer
//   <form data-auto>                         sent when one of its fields changes
"use strict";

(() => {
  const root = document.documentElement;

  // --- light and dark ---

  const next = { "": "dark", dark: "light", light: "" };
  const names = { "": "System colours", dark: "Dark colours", light: "Light colours" };
  const showTheme = () => document.querySelectorAll("[data-theme-switch]").forEach(button => { button.textContent = names[root.dataset.theme ?? ""]; });

  document.addEventListener("click", event => {
    if (!event.target.closest?.("[data-theme-switch]")) return;
    const theme = next[root.dataset.theme ?? ""];
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=strict`;
    showTheme();
  });

  // --- forms that send themselves ---

  document.addEventListener("change", event => {
    const form = event.target.closest?.("form[data-auto]");
    if (form) form.requestSubmit();
  });

  // A question that was opened closes with Escape, or with a click beside it.
  document.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.confirm[open]").forEach(details => { details.open = false; details.querySelector("summary").focus(); });
  });
  document.addEventListener("click", event => {
    document.querySelectorAll("details.confirm[open]").forEach(details => { if (!details.contains(event.target)) details.open = false; });
  });

  // --- live parts ---

  // Makes one tree like another and keeps the nodes that are there, so that focus, selection and scroll positions stay.
  function morph(from, to) {
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || (from.id ?? "") !== (to.id ?? "")) {
      from.replaceWith(document.importNode(to, true));
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    if (from.hasAttribute("data-keep")) return;
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
    for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    if (from.matches("input, select, textarea")) return; // what somebody typed is his
    const old = [...from.childNodes];
    const fresh = [...to.childNodes];
    for (let i = 0; i < Math.min(old.length, fresh.length); i++) morph(old[i], fresh[i]);
    for (const extra of old.slice(fresh.length)) extra.remove();
    for (const extra of fresh.slice(old.length)) from.append(document.importNode(extra, true));
  }

  async function refresh() {
    const response = await fetch(location.href, { headers: { "X-Live": "1" }, cache: "no-store" });
    if (response.redirected && new URL(response.url).pathname === "/login") {
      location.reload(); // logged out meanwhile
      return;
    }
    if (response.status >= 400 && response.status < 500) {
      location.reload(); // what is shown is not there any more: the server says so
      return;
    }
    if (!response.ok) throw new Error(`${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh) morph(part, fresh);
    }
    document.dispatchEvent(new Event("live"));
  }

  async function live() {
    const offline = document.querySelector("[data-offline]");
    for (;;) {
      const parts = [...document.querySelectorAll("[data-live]")];
      if (parts.length === 0) return;
      const every = Math.min(...parts.map(part => Number(part.dataset.live) || 2000)); // what has ended asks less often
      await new Promise(resolve => setTimeout(resolve, every));
      if (document.hidden) continue;
      try {
        await refresh();
        if (offline) offline.hidden = true;
      } catch {
        if (offline) offline.hidden = false;
      }
    }
  }

  showTheme();
  live();
})();
