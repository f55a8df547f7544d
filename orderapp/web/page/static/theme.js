/* Light or dark, as the system or as chosen here and kept by the browser. Not a module: it runs
   before anything is drawn, so that no page begins in the wrong colours. */

(() => {
  const KEY = "orderapp-theme";
  /** When the page's dark colours apply. */
  const MEDIA = { system: "screen and (prefers-color-scheme: dark)", light: "not all", dark: "screen" };
  const dark = document.getElementById("dark");

  function kept() {
    try {
      const theme = localStorage.getItem(KEY);
      return Object.hasOwn(MEDIA, theme) ? theme : "system";
    } catch {
      return "system"; // the browser keeps nothing for this page
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // then it is so until the page is closed
    }
  }

  function apply(theme) {
    if (dark) dark.media = MEDIA[theme];
    // With dark.css, that says so itself, and never on paper.
    const own = theme === "light" || (theme === "dark" && !dark);
    document.documentElement.style.colorScheme = own ? theme : "";
    dispatchEvent(new Event("themechange"));
  }

  apply(kept());
  addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("theme");
    if (!choice) return;
    choice.value = kept();
    choice.addEventListener("change", () => {
      keep(choice.value);
      apply(choice.value);
    });
  });
  // Another tab has chosen.
  addEventListener("storage", ({ key }) => {
    if (key !== KEY) return;
    apply(kept());
    const choice = document.getElementById("theme");
    if (choice) choice.value = kept();
  });
})();
