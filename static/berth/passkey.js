// Says on the page what went wrong with a passkey, instead of in the console.
(() => {
  "use strict";
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    document.querySelectorAll("[data-passkey-problem]").forEach((each) => { each.hidden = false; });
  });
})();
