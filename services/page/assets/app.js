// Loads the page again when something changed, and replaces what differs. All else works without it.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const parts = "a,summary,button,input,select,pre";
  let tag = "", busy = false, late = false, live = null;

  const selects = () => {
    const s = getSelection();
    return !s.isCollapsed && byId("main").contains(s.anchorNode);
  };

  const swap = (next) => {
    const main = byId("main"), from = next.getElementById("main");
    if (!from) return;
    for (const d of main.querySelectorAll("details[id]")) {
      const same = next.getElementById(d.id);
      if (same) same.open = d.open;
    }
    const focus = document.activeElement;
    const owner = focus !== main && main.contains(focus) && focus.closest("[id]");
    const index = owner && [...owner.querySelectorAll(parts)].indexOf(focus);
    main.replaceChildren(...[...from.children].map((part) => {
      const old = part.id && byId(part.id);
      return old && old.isEqualNode(part) ? old : part;
    }));
    main.dataset.seq = from.dataset.seq;
    const again = owner && byId(owner.id);
    if (again) (again.querySelectorAll(parts)[index] || again).focus({ preventScroll: true });
    byId("foot").replaceWith(next.getElementById("foot"));
    const nav = document.querySelector("nav"), fresh = next.querySelector("nav");
    if (nav && fresh && !nav.contains(focus)) nav.replaceWith(fresh);
    if (document.title !== next.title) byId("said").textContent = document.title = next.title;
  };

  const load = () => {
    late = busy || selects();
    if (late) return;
    busy = true;
    const ask = new XMLHttpRequest();
    ask.open("GET", location.pathname + location.search);
    ask.responseType = "document";
    if (tag) ask.setRequestHeader("If-None-Match", tag);
    ask.onloadend = () => {
      if (ask.status === 200) {
        tag = ask.getResponseHeader("ETag");
        swap(ask.response);
      } else if (ask.status === 401) {
        location.reload();
      } else if (ask.status !== 304) {
        byId("said").textContent = "This page is not up to date.";
      }
      setTimeout(() => {
        busy = false;
        if (late) load();
      }, 200);
    };
    ask.send();
  };

  const follow = () => {
    if (live) live.close();
    live = null;
    if (document.hidden) return;
    live = new EventSource("/live?after=" + byId("main").dataset.seq);
    live.addEventListener("changed", load);
    live.onerror = () => {
      if (!live || live.readyState !== 2) return;
      live = null;
      setTimeout(() => {
        load();
        follow();
      }, 5000);
    };
  };

  document.addEventListener("visibilitychange", follow);
  document.addEventListener("selectionchange", () => { if (late) load(); });
  follow();
})();
