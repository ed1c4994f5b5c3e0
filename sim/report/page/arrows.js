// Chooses the messages to draw: all, if they fit; otherwise those of the rarest
// kinds, which are the most informative.

const kArrowsMax = 2000;

// Messages of one kind on one link, in the order in which they were sent.
class Flow {
  constructor(run, messages) {
    this.from = messages[0].from;
    this.to = messages[0].to;
    this.messages = messages;
    this.sent = Float64Array.from(messages, (message) => run.at[message.sent]);
    this.ended = Float64Array.from(messages, (message, i) => {
      const taken = message.taken;
      return taken.length === 0 ? this.sent[i] : run.at[taken[taken.length - 1]];
    });
    // The latest arrival of all messages up to each one; ascending.
    let last = 0;
    this.allEnded = this.ended.map((end) => last = Math.max(last, end));
  }

  firstIn(view) { return lowerBound(this.allEnded, view.from); }
  endIn(view) { return lowerBound(this.sent, view.to); }
  // The largest number of messages on the screen.
  countIn(view) { return Math.max(this.endIn(view) - this.firstIn(view), 0); }

  addIn(view, found) {
    const end = this.endIn(view);
    for (let i = this.firstIn(view); i < end; ++i) {
      if (this.ended[i] >= view.from) found.push(this.messages[i]);
    }
  }
}

class Arrows {
  constructor(run) {
    const links = new Map();
    for (const message of run.messages) {
      const link = `${message.kind} ${message.from} ${message.to}`;
      if (!links.has(link)) links.set(link, []);
      links.get(link).push(message);
    }
    this.kinds = new Map();
    for (const messages of links.values()) {
      const {kind, family} = messages[0];
      if (!this.kinds.has(kind)) this.kinds.set(kind, {kind, family, count: 0, flows: []});
      const known = this.kinds.get(kind);
      known.count += messages.length;
      known.flows.push(new Flow(run, messages));
    }
  }

  // {drawn, total, left: the kinds that are not drawn}
  choose(view, filter) {
    const groups = [];
    for (const {kind, flows} of this.kinds.values()) {
      if (!filter.showsKind(kind)) continue;
      const shown = flows.filter((flow) =>
          flow.from !== flow.to && filter.showsNode(flow.from) && filter.showsNode(flow.to));
      const count = shown.reduce((sum, flow) => sum + flow.countIn(view), 0);
      if (count > 0) groups.push({kind, shown, count});
    }
    groups.sort((a, b) => a.count - b.count);
    const choice = {drawn: [], total: 0, left: []};
    for (const {kind, shown, count} of groups) {
      choice.total += count;
      if (choice.left.length > 0 || choice.drawn.length + count > kArrowsMax) {
        choice.left.push(kind);
      } else {
        for (const flow of shown) flow.addIn(view, choice.drawn);
      }
    }
    return choice;
  }
}
