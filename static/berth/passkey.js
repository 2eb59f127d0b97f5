// Shows passkey errors on the page instead of in the console.
(() => {
  "use strict";
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    document.querySelectorAll("[data-passkey-problem]").forEach((element) => { element.hidden = false; });
  });
})();
