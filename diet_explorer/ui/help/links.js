// Links between pages of the help are followed without loading the app anew; a link's section is scrolled to.
const PATIENCE = 3000; // milliseconds for texts and pictures to come
let shown = null;

function settled(holder, count) {
  const headings = holder?.querySelectorAll("h2, h3, h4, h5") ?? [];
  return headings.length >= count && [...holder.querySelectorAll("img")].every((image) => image.complete);
}

function scrollTo(data, began) {
  const holder = document.querySelector(".st-key-help-text");
  if (!settled(holder, data.headings) && Date.now() - began < PATIENCE) {
    setTimeout(() => scrollTo(data, began), 50);
    return;
  }
  const heading = holder?.querySelectorAll("h2, h3, h4, h5")[data.heading];
  if (!heading || shown !== data.topic) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  heading.scrollIntoView();
}

export default function ({ data, setTriggerValue }) {
  const follow = (event) => {
    const target = event.target.closest?.("a")?.getAttribute("href");
    if (!target?.startsWith("?topic=") || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    setTriggerValue("topic", new URLSearchParams(target).get("topic"));
  };
  document.addEventListener("click", follow);
  const moved = shown !== null && shown !== data.topic;
  if (shown !== data.topic) {
    shown = data.topic;
    if (moved || data.heading > 0) scrollTo(data, Date.now());
  }
  return () => document.removeEventListener("click", follow);
}
