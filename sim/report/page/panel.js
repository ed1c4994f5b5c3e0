// Describes the selected step. Inserts all texts as text nodes, because keys may
// contain markup.

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function keyHint() {
  const hint = element("p", "hint");
  const keys = [["wheel", "zooms, drag moves. "], ["←", ""], ["→", "step from event to event, with "],
                ["Shift", "of one node. "], ["v", "goes to the violation, "], ["0", "shows all. "]];
  hint.append("Click a step or an arrow to read it. ");
  for (const [key, text] of keys) hint.append(element("kbd", "", key), ` ${text}`);
  return hint;
}

class Panel {
  constructor(page) {
    this.page = page;
    this.details = document.getElementById("details");
  }

  show(step) {
    const {run, filter} = this.page;
    document.getElementById("position").textContent = step === undefined
        ? `${run.stepCount.toLocaleString("en")} steps`
        : `${(step + 1).toLocaleString("en")} of ${run.stepCount.toLocaleString("en")}`;
    const from = step ?? -1;
    document.getElementById("previous").disabled =
        step === undefined || filter.stepFrom(from, -1) === undefined;
    document.getElementById("next").disabled = filter.stepFrom(from, +1) === undefined;
    this.details.replaceChildren(...(step === undefined ? [keyHint()] : this.partsOf(step)));
    this.details.scrollTop = 0;
  }

  partsOf(step) {
    const {run} = this.page;
    const parts = [];
    if (step === run.heading.failedStep) {
      parts.push(element("p", "violation", run.heading.sentence));
    }
    const title = element("h3", "", `n${run.host[step]} at ${stampText(run.at[step])}`);
    parts.push(title, element("p", "what", "Event"), this.eventOf(step));
    const decisions = run.decisionsOf(step);
    if (decisions.length > 0) {
      const list = element("ul");
      for (const text of decisions) list.append(element("li", "decision", text));
      parts.push(element("p", "what", "Decisions"), list);
    }
    const actions = run.actionsOf(step);
    if (actions.length > 0) {
      const list = element("ul");
      for (const action of actions) list.append(this.actionOf(action));
      parts.push(element("p", "what", "Actions"), list);
    }
    return parts;
  }

  eventOf(step) {
    const {run} = this.page;
    const message = run.messageOf(step);
    if (message === undefined) {
      return element("p", "event", run.eventText(step) || "time passes, or the turn ends");
    }
    const delay = run.at[step] - run.at[message.sent];
    return this.messageButton(message, `from n${message.from}: ${run.texts[message.text]}`,
                              `sent ${timeText(delay, delay / 100)} before`, message.sent);
  }

  actionOf(action) {
    const item = element("li");
    if (typeof action === "string") {
      item.textContent = action;
      return item;
    }
    const {run} = this.page;
    const text = `to n${action.to}: ${run.texts[action.text]}`;
    if (action.taken.length === 0) {
      item.append(this.messageButton(action, text, "never taken in", undefined));
    }
    for (const taken of action.taken) {
      const delay = run.at[taken] - run.at[action.sent];
      item.append(this.messageButton(action, text, `taken in ${timeText(delay, delay / 100)} later`, taken));
    }
    return item;
  }

  // A link to the other end of the message.
  messageButton(message, text, where, step) {
    const button = element("button", "message", text);
    button.append(element("small", "", `${message.isDatagram ? "datagram" : "stream"}, ${where}`));
    button.style.setProperty("--colour", `var(--${step === undefined ? "alarm" : message.family})`);
    button.disabled = step === undefined;
    button.onclick = () => this.page.select(step);
    return button;
  }
}
