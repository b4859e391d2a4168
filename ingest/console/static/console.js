// Makes boosted navigation as good as a whole page for those who use a keyboard or a screen reader.
"use strict";

(() => {
  // On a narrow screen the navigation is a row that scrolls: show the current page in it.
  const showCurrent = () => {
    const current = document.querySelector(".side [aria-current]");
    const row = current?.closest("ul");
    if (!row) return;
    const link = current.getBoundingClientRect();
    const place = row.getBoundingClientRect();
    row.scrollLeft += link.left - place.left - (place.width - link.width) / 2;
  };

  showCurrent(); // The script is deferred.
  document.addEventListener("htmx:after:swap", () => {
    const content = document.getElementById("content");
    if (content && !content.contains(document.activeElement)) {
      content.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    showCurrent();
  });
})();
