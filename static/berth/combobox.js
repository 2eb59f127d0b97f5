// A field that finds what is typed in it, as ARIA's combobox with a list. Without this
// script the same form has radio buttons, which it takes away.
(() => {
  "use strict";
  document.querySelectorAll("[data-combobox]").forEach((root) => {
    const input = root.querySelector("input[type=text]");
    const list = root.querySelector("[role=listbox]");
    const value = root.querySelector("input[type=hidden][disabled]");
    root.querySelector("[data-plain]").remove();
    value.disabled = false;
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    let current = null;

    const mark = (option) => {
      current?.setAttribute("aria-selected", "false");
      current = option;
      current?.setAttribute("aria-selected", "true");
      current?.scrollIntoView({ block: "nearest" });
      if (current) input.setAttribute("aria-activedescendant", current.id);
      else input.removeAttribute("aria-activedescendant");
    };
    const open = (isOpen) => {
      list.hidden = !isOpen;
      input.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen) mark(null);
    };
    const choose = (option) => {
      const isNew = option.dataset.value === "new";
      value.setAttribute("value", option.dataset.value);
      open(false);
      if (!isNew) {
        input.value = option.dataset.text;
        return;
      }
      const kind = option.dataset.text.includes("@") ? "email" : "name";
      const entered = root.querySelector(`[name=customer_${kind}]`);
      entered.value ||= option.dataset.text;
      root.querySelector(`[name=customer_${kind === "name" && entered.value ? "email" : "name"}]`).focus();
    };

    input.addEventListener("input", () => value.setAttribute("value", ""));
    input.addEventListener("click", () => htmx.trigger(input, "find"));
    list.addEventListener("htmx:afterSwap", () => {
      mark(null);
      open(document.activeElement === input);
    });
    // Before the field loses the focus.
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) choose(option);
    });
    input.addEventListener("blur", () => open(false));
    input.addEventListener("keydown", (event) => {
      const options = [...list.querySelectorAll("[role=option]")];
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key in steps) {
        event.preventDefault();
        if (list.hidden) {
          htmx.trigger(input, "find");
          return;
        }
        const from = current ? options.indexOf(current) : event.key === "ArrowDown" ? -1 : options.length;
        mark(options[(from + steps[event.key] + options.length) % options.length]);
      } else if (event.key === "Enter" && !list.hidden) {
        event.preventDefault();
        if (current ?? options[0]) choose(current ?? options[0]);
      } else if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        open(false);
      }
    });
  });
})();
