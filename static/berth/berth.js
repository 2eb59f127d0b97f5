// Optional page behavior beyond htmx: every page works without it.
(() => {
  "use strict";
  const dialog = document.getElementById("dialog");
  const body = document.getElementById("dialog-body");

  const onClick = (selector, act) => {
    document.addEventListener("click", (event) => {
      const element = event.target.closest(selector);
      if (element) act(element, event);
    });
  };

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!dialog.contains(event.target) && event.target !== body) return;
    if (!dialog.open) dialog.showModal();
    const invalid = body.querySelector("[aria-invalid=true]");
    const first = invalid ?? body.querySelector("input:not([type=hidden]), select, textarea");
    if (first) first.focus();
  });

  dialog.addEventListener("close", () => {
    // The list behind the dialog does not show the new object yet.
    const isStale = body.querySelector("[data-reload]") !== null;
    body.replaceChildren();
    if (isStale) window.location.reload();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  onClick("[data-close-dialog]", (_link, event) => {
    if (!dialog.open) return;
    event.preventDefault();
    dialog.close();
  });

  onClick("[data-toggle]", (button) => {
    const shown = document.querySelector(button.dataset.toggle).classList.toggle("show");
    button.setAttribute("aria-expanded", String(shown));
  });

  onClick("[data-dismiss]", (button) => button.closest("[data-toast]").remove());

  // Copying needs https:// and the user's permission.
  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return "Copied";
    } catch {
      window.getSelection().selectAllChildren(code);
      return "Selected";
    }
  };

  onClick("[data-copy]", async (button) => {
    button.dataset.label ??= button.textContent;
    button.textContent = await copy(button.parentElement.querySelector("code"));
    window.setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
  });

  // Menus close on a click elsewhere and with Escape.
  const closeMenus = (except) => {
    document.querySelectorAll("details.berth-menu[open]").forEach((menu) => {
      if (menu !== except) menu.open = false;
    });
  };
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.berth-menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(null);
  });

  // Search: Ctrl-K and "/" lead to the box, arrows through what it found.
  const box = document.querySelector("[data-search]");
  const isTyping = (element) => element.closest("input, select, textarea, [contenteditable]") !== null;
  document.addEventListener("keydown", (event) => {
    if (!box || dialog.open) return;
    const isHotkey = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
    if (isHotkey || (event.key === "/" && !isTyping(event.target))) {
      event.preventDefault();
      box.focus();
      box.select();
    }
  });
  box?.form.addEventListener("keydown", (event) => {
    const stops = [box, ...box.form.querySelectorAll(".berth-found a")];
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      event.preventDefault();
      const next = stops.indexOf(document.activeElement) + steps[event.key];
      stops[(next + stops.length) % stops.length].focus();
    } else if (event.key === "Escape") {
      document.activeElement.blur();
    }
  });

  // The box in a table's head selects the page's rows.
  document.addEventListener("change", (event) => {
    const box = event.target.closest("[data-select-page]");
    if (!box) return;
    box.closest("table").querySelectorAll("tbody .berth-select").forEach((one) => { one.checked = box.checked && !one.disabled; });
  });

  // What waits says so: the button turns, a bar shows after a moment, and a screen reader
  // is told. Further clicks are ignored until there is an answer, for a minute at most.
  const root = document.documentElement;
  const waits = new Map();  // by the form or link that waits: what ends it
  const end = (waiting) => {
    waits.get(waiting)?.();
    waits.delete(waiting);
    root.classList.toggle("berth-busy", waits.size > 0);
  };
  const begin = (waiting, button) => {
    end(waiting);
    const label = button?.dataset.busy ?? "Working…";
    // What is outside of an open dialog is not read out.
    const note = document.getElementById(dialog.open ? "dialog-busy" : "busy");
    const timers = [
      window.setTimeout(() => { note.textContent = label; }, 400),
      window.setTimeout(() => end(waiting), 60_000),
    ];
    button?.setAttribute("aria-busy", "true");
    waits.set(waiting, () => {
      timers.forEach((timer) => window.clearTimeout(timer));
      button?.removeAttribute("aria-busy");
      note.textContent = "";
    });
    root.classList.add("berth-busy");
  };
  // Before htmx, which would send a form again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (waits.has(form)) {
      event.preventDefault();
      event.stopPropagation();
    } else {
      begin(form, event.submitter);
    }
  }, true);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    const isModified = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (!link || isModified || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    const isElsewhere = link.origin !== window.location.origin || link.getAttribute("href").startsWith("#");
    if (!isElsewhere && !link.hasAttribute("hx-get") && !link.hasAttribute("hx-post")) begin(link);
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("a")) begin(event.target);
  });
  document.addEventListener("htmx:afterRequest", (event) => end(event.detail.elt));
  document.addEventListener("htmx:sendError", () => {
    const toast = document.getElementById("no-answer").content.cloneNode(true);
    (dialog.open ? body : document.querySelector(".berth-toasts")).append(toast);
  });
  window.addEventListener("pageshow", () => [...waits.keys()].forEach(end));

  document.querySelectorAll(".berth-toast.alert-success").forEach((toast) => {
    window.setTimeout(() => toast.remove(), 8000);
  });
})();
