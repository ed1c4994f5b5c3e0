// What the user has hidden; everything else is shown.

class Filter {
  constructor(run) {
    this.run = run;
    this.hiddenNodes = new Set();
    this.hiddenKeys = new Set();
    this.hiddenKinds = new Set();
  }

  static toggle(set, value) {
    if (!set.delete(value)) set.add(value);
  }

  showsNode(host) { return !this.hiddenNodes.has(host); }
  showsKey(key) { return !this.hiddenKeys.has(key); }
  showsKind(kind) { return !this.hiddenKinds.has(kind); }

  // Whether stepping stops at it.
  showsStep(step) {
    const run = this.run;
    if (step === run.heading.failedStep) return true;
    if (!this.showsNode(run.host[step]) || run.isQuiet(step)) return false;
    const message = run.messageOf(step);
    if (message !== undefined) return this.showsKind(message.kind);
    if (run.eventText(step) !== "" || run.decisionsOf(step).length > 0) return true;
    return run.actionsOf(step).some(
        (action) => typeof action === "string" || this.showsKind(action.kind));
  }

  // The nearest shown step before (-1) or after (+1); undefined if there is none.
  // `host`: only steps of this node.
  stepFrom(step, direction, host) {
    const run = this.run;
    for (let i = step + direction; i >= 0 && i < run.stepCount; i += direction) {
      if (host !== undefined && run.host[i] !== host) continue;
      if (this.showsStep(i)) return i;
    }
    return undefined;
  }
}
