// Makes boosted navigation as good as a whole page for those who use a keyboard or a screen reader.
document.addEventListener("htmx:after:swap", () => {
  const content = document.getElementById("content");
  if (content && !content.contains(document.activeElement)) {
    content.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
});
