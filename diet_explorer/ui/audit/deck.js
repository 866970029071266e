// The deck: one example at a time, decided by a key. The next cards are here already, so a decision shows the next one
// at once; what was decided goes into an outbox that keeps every entry until the server says that it is stored.
// An entry names the example that was on the screen, so a key can never be about another one, and has a uid, so it is
// stored once however often it is sent.
const ADVANCE = new Set(["keep", "relabel", "exclude", "unsure", "forward"]);
const BLINK_MS = 150; // nobody has read an example that was there for less: a key pressed twice counts once
const DECISIONS = new Set(["keep", "relabel", "exclude", "unsure", "flag", "unflag", "note"]);

const HELP = [
  ["Q", "Keep the given label"], ["W", "Accept the suggested label"], ["E", "Exclude the example"],
  ["N", "Unsure"], ["1 – 9", "Give it that class: of many, the given one and the most likely"], ["F", "Flag it, or take the flag away"],
  ["→", "Leave it for later"], ["←", "Back to the one before"], ["Backspace", "Undo your last decision"],
  ["Ctrl + Enter", "In the note: store it without a decision"],
  ["H", "This help"],
];

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function keyButton(key, action) {
  const made = element("button", "de-key");
  made.type = "button";
  made.dataset.action = action;
  made.append(element("kbd", "", key), element("i"), element("span"));
  return made;
}

// As crypto.randomUUID, which pages that are not served over HTTPS do not have.
function newUid() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function letterOf(event) {
  if (/^[a-z0-9]$/i.test(event.key)) return event.key.toLowerCase();
  if (event.key.length > 1) return event.key;
  return /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key; // other alphabets
}

function isTyping(event) {
  const target = event.composedPath()[0];
  if (!target?.closest) return false;
  if (target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable=true], [role=combobox], [role=listbox], [role=dialog]")) return true;
  return event.key.startsWith("Arrow") && Boolean(target.closest("[role=radiogroup], [role=slider], [role=tablist], tr"));
}

class Deck {
  constructor(root) {
    this.root = root;
    const find = (name) => root.querySelector(`.de-deck-${name}`);
    Object.assign(this, {
      notice: find("notice"), card: find("card"), actions: find("actions"), classes: find("classes"),
      status: find("status"), note: find("note"), leave: find("leave"), help: find("help"),
    });
    this.attempt = 0;
    this.shownAt = 0;
    this.buttons = {};
    for (const [key, action] of [["Q", "keep"], ["W", "accept"], ["E", "exclude"], ["N", "unsure"], ["F", "flag"]]) {
      this.buttons[action] = keyButton(key, action);
      this.actions.append(this.buttons[action]);
    }
    for (const [key, action, words] of [["←", "back", "Back"], ["→", "forward", "Later"], ["⌫", "undo", "Undo"], ["H", "help", "Help"]]) {
      const made = keyButton(key, action);
      made.lastChild.textContent = words;
      this.buttons[action] = made;
      find("moves").append(made);
    }
    this.buttons.undo.title = "Backspace";
    this.help.querySelector("dl").append(...HELP.map(([key, words]) => {
      const line = element("div");
      const keys = element("dt");
      keys.append(element("kbd", "", key));
      line.append(keys, element("dd", "", words));
      return line;
    }));
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button.de-key");
      if (button && !button.disabled) this.press(button.dataset.action, button.dataset.label);
    });
    this.note.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.press("note");
      if (event.key === "Enter" || event.key === "Escape") this.card.focus();
    });
    this.note.addEventListener("input", () => this.drawLeave());
    this.leave.addEventListener("click", () => {
      this.press("note");
      this.card.focus();
    });
    this.onKey = (event) => this.key(event);
  }

  // --- what there is ---
  update(data, setStateValue) {
    this.setStateValue = setStateValue;
    this.data = data;
    if (!this.outbox) {
      this.outbox = this.kept().map((entry, index) => ({ ...entry, n: data.ack + 1 + index }));
      this.sent = data.ack;
      if (this.outbox.length) this.send();
    }
    this.outbox = this.outbox.filter((entry) => entry.n > data.ack);
    this.keep();
    this.draw();
  }

  // What was not known to be stored when the page was left or loaded again.
  kept() { return JSON.parse(sessionStorage.getItem(this.data.keep) ?? "[]"); }

  keep() {
    const decisions = this.outbox.filter((entry) => DECISIONS.has(entry.action));
    if (decisions.length) sessionStorage.setItem(this.data.keep, JSON.stringify(decisions));
    else sessionStorage.removeItem(this.data.keep);
  }

  pending() { return this.outbox.filter((entry) => entry.n > this.data.ack); }

  // The card on the screen: that of the server, and as many further as decisions are on their way; null while unknown.
  current() {
    if (this.data.trouble) return this.data.cards[0] ?? null;
    const pending = this.pending();
    if (pending.some((entry) => entry.action === "undo" || entry.action === "back")) return null;
    const ahead = pending.filter((entry) => ADVANCE.has(entry.action)).length;
    return this.data.cards[ahead] ?? (this.data.whole && ahead >= this.data.cards.length ? undefined : null);
  }

  // The classes of the keys 1 to 9: those that the card names, else the first ones.
  keyed(card) {
    if (!card?.keyed?.length) return this.data.classes.slice(0, 9);
    return card.keyed.map((name) => this.data.classes.find((entry) => entry.name === name)).filter(Boolean);
  }

  shown(name) { return this.data.classes.find((entry) => entry.name === name)?.shown ?? ""; }

  flagged(card) {
    const last = this.pending().filter((entry) => entry.row === card.row && entry.action.endsWith("flag")).at(-1);
    return last ? last.action === "flag" : card.flagged;
  }

  // --- what is done ---
  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (this.help.open || document.querySelector("[role=dialog][aria-modal=true]") || isTyping(event)) return;
    const letter = letterOf(event);
    const action = { q: "keep", w: "accept", e: "exclude", n: "unsure", f: "flag", h: "help", ArrowLeft: "back", ArrowRight: "forward", Backspace: "undo" }[letter];
    const chosen = /^[1-9]$/.test(letter) ? this.keyed(this.current())[Number(letter) - 1] : undefined;
    if (!action && !chosen) return;
    event.preventDefault();
    if (event.repeat) return;
    if (chosen) this.press("relabel", chosen.name);
    else if (!this.buttons[action].disabled) this.press(action);
  }

  press(action, label) {
    if (action === "help") {
      this.help.showModal();
      return;
    }
    if (this.data.trouble || !this.data.may) return;
    if (action === "undo" || action === "back") {
      this.add({ action });
      return;
    }
    const card = this.current();
    if (!card || performance.now() - this.shownAt < BLINK_MS) return;
    if (action === "forward") this.add({ action, row: card.row });
    else if (action === "flag") this.decide(card, this.flagged(card) ? "unflag" : "flag");
    else if (action === "note") {
      if (this.note.value.trim()) this.decide(card, "note");
    } else if (action === "accept" && card.suggestion) this.decide(card, "relabel", card.suggestion);
    else if (action === "relabel") this.decide(card, "relabel", label);
    else if (action !== "accept") this.decide(card, action);
  }

  decide(card, action, label) {
    const kept = action === "relabel" && label === card.label;
    this.add({
      action: kept ? "keep" : action, label: action === "relabel" && !kept ? label : null, row: card.row,
      expected: card.expected, note: this.note.value.trim() || null, words: `${card.name}: ${kept ? "keep" : label ? this.shown(label) : action}`,
    });
    this.note.value = "";
    this.drawLeave();
  }

  add(entry) {
    const last = Math.max(this.data.ack, this.sent, ...this.outbox.map((known) => known.n));
    this.outbox.push({ n: last + 1, uid: newUid(), ...entry });
    this.draw();
    this.send();
  }

  send() {
    this.sent = Math.max(this.sent, ...this.outbox.map((entry) => entry.n));
    this.keep();
    this.setStateValue("outbox", { deck: this.data.deck, attempt: this.attempt, entries: this.outbox.map((entry) => ({ ...entry })) });
  }

  again(change) {
    const troubled = this.outbox.find((entry) => entry.n === this.data.trouble.n);
    if (troubled) change(troubled);
    this.attempt += 1;
    this.data = { ...this.data, trouble: null };
    this.send();
    this.draw();
    this.card.focus();
  }

  // --- how it looks ---
  draw() {
    const card = this.current();
    const { data } = this;
    if (card !== null && (card?.html !== this.html || card?.row !== this.row)) {
      this.html = card?.html;
      const other = card?.row !== this.row;
      this.row = card?.row;
      this.card.innerHTML = card ? card.html : data.empty;
      if (other) {
        this.card.scrollTop = 0;
        this.shownAt = performance.now();
      }
      this.card.dataset.row = card?.row ?? "";
      this.link(card);
    }
    this.root.classList.toggle("de-waiting", card === null);
    const off = !card || !data.may || Boolean(data.trouble);
    const decided = card?.decided;
    const name = (action, words, pressed) => {
      const button = this.buttons[action];
      button.lastChild.textContent = words;
      button.disabled = off;
      button.setAttribute("aria-pressed", String(Boolean(pressed)));
    };
    name("keep", "Keep", decided?.action === "keep");
    name("accept", "Accept", false);
    name("exclude", "Exclude", decided?.action === "exclude");
    name("unsure", "Unsure", decided?.action === "unsure");
    const flagged = card ? this.flagged(card) : false;
    name("flag", flagged ? "Flagged" : "Flag", flagged);
    this.buttons.keep.title = card ? `Keep ${this.shown(card.label)}` : "";
    this.buttons.accept.disabled = off || !card?.suggestion;
    this.buttons.accept.title = card?.suggestion ? `Give it the class ${this.shown(card.suggestion)}` : "No class is suggested";
    this.buttons.back.disabled = !data.may || Boolean(data.trouble) || !data.back;
    this.buttons.forward.disabled = off;
    this.buttons.undo.disabled = !data.may || Boolean(data.trouble) || !(data.undoable || this.outbox.length);
    this.drawLeave();
    this.drawClasses(card, off);
    this.drawNotice();
    const pending = this.pending().length;
    const words = data.trouble ? "Not saved" : pending ? "Saving …" : data.saved;
    if (this.status.textContent !== words) this.status.textContent = words;
    this.status.classList.toggle("de-unsaved", Boolean(data.trouble));
  }

  drawLeave() {
    this.leave.disabled = !this.current() || !this.data.may || Boolean(this.data.trouble) || !this.note.value.trim();
  }

  // The address names the example on the screen, so that loading the page again comes back to it.
  link(card) {
    const url = new URL(location.href);
    if (card) url.searchParams.set("example", card.row);
    else url.searchParams.delete("example");
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }

  drawClasses(card, off) {
    const classes = card ? this.keyed(card) : (this.lastKeyed ?? this.data.classes.slice(0, 9));
    this.lastKeyed = classes;
    this.classes.classList.toggle("de-many", this.data.classes.length > 9);
    const names = JSON.stringify([classes, this.data.classes.length]);
    if (this.classNames !== names) {
      this.classNames = names;
      const keyed = classes.map((entry, index) => {
        const button = keyButton(String(index + 1), "relabel");
        button.dataset.label = entry.name;
        button.lastChild.textContent = entry.title;
        button.title = `Give it the class ${entry.shown}`;
        button.style.setProperty("--colour", entry.colour);
        button.classList.add("de-coloured");
        return button;
      });
      this.others ??= this.data.classes.length > 9 ? this.otherClasses() : null;
      this.classes.replaceChildren(...keyed, ...(this.others ? [this.others] : []));
    }
    for (const button of this.classes.querySelectorAll("button")) {
      button.disabled = off;
      button.classList.toggle("de-given", button.dataset.label === card?.label);
      button.setAttribute("aria-pressed", String(card?.decided?.label === button.dataset.label));
    }
  }

  otherClasses() {
    const field = element("input", "de-other");
    field.setAttribute("aria-label", "Give it another class");
    field.placeholder = "Another class …";
    const list = element("datalist");
    list.id = `de-classes-${this.data.deck}`;
    field.setAttribute("list", list.id);
    list.append(...this.data.classes.map((entry) => {
      const option = element("option");
      option.value = entry.shown;
      return option;
    }));
    const choose = (force) => {
      const wanted = field.value.trim();
      const matches = this.data.classes.filter((entry) => entry.shown.toLowerCase().includes(wanted.toLowerCase()));
      const exact = this.data.classes.find((entry) => entry.shown === wanted);
      const found = exact ?? (force && wanted && matches.length === 1 ? matches[0] : undefined);
      if (!found) return;
      field.value = "";
      this.card.focus();
      this.press("relabel", found.name);
    };
    field.addEventListener("input", (event) => { if (event.inputType === "insertReplacementText" || !event.inputType) choose(false); });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") choose(true);
      else if (event.key === "Escape") { field.value = ""; this.card.focus(); }
    });
    const box = element("span", "de-others");
    box.append(field, list);
    return box;
  }

  drawNotice() {
    const trouble = this.data.trouble;
    const stamp = JSON.stringify([trouble, this.attempt]);
    if (this.noticeStamp === stamp) return;
    this.noticeStamp = stamp;
    this.notice.hidden = !trouble;
    if (!trouble) {
      this.notice.replaceChildren();
      return;
    }
    const waiting = this.outbox.map((entry) => entry.words).filter(Boolean);
    const parts = [element("b", "", trouble.title), element("p", "", trouble.text)];
    if (waiting.length) parts.push(element("p", "de-quiet", `Not saved yet: ${waiting.join(" · ")}`));
    const offer = (words, change) => {
      const button = element("button", "de-offer", words);
      button.type = "button";
      button.onclick = () => this.again(change);
      return button;
    };
    const offers = element("div", "de-offers");
    if (trouble.kind === "meanwhile") {
      offers.append(
        offer("Save mine too", (entry) => { entry.expected = trouble.expected; }),
        offer("Keep theirs", (entry) => Object.assign(entry, { action: "forward", words: null })),
      );
    } else {
      offers.append(
        offer("Try again", () => {}),
        offer("Discard", () => { for (const entry of this.outbox) Object.assign(entry, { action: "none", words: null }); }),
      );
    }
    this.notice.replaceChildren(...parts, offers);
    offers.firstChild.focus();
  }

}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".de-deck");
  root.deck ??= new Deck(root);
  root.setAttribute("aria-label", data.title);
  root.style.setProperty("--above", `${data.above}px`);
  document.removeEventListener("keydown", root.deck.onKey);
  document.addEventListener("keydown", root.deck.onKey);
  root.deck.update(data, setStateValue);
  return () => document.removeEventListener("keydown", root.deck.onKey);
}
