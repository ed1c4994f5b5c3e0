// Access to the run that data.cc has written.

// The first index of the sorted `values` whose value is at least `value`.
function lowerBound(values, value) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Decodes columns of ascending numbers, which are written as differences.
function summed(differences) {
  const values = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < differences.length; ++i) values[i] = sum += differences[i];
  return values;
}

class Run {
  constructor(data) {
    this.heading = data.heading;
    this.hosts = data.hosts;
    this.end = Math.max(data.end, 1);
    this.texts = data.texts;
    this.names = new Map(data.names);
    this.readSteps(data.steps);
    this.readMessages(data.messages);
    this.readSpans(data);
  }

  readSteps(steps) {
    this.at = summed(steps.at);
    this.host = Uint8Array.from(steps.host);
    this.event = Int32Array.from(steps.event);
    this.decisionStep = summed(steps.decisionStep);
    this.decision = steps.decision;
    this.actionStep = summed(steps.actionStep);
    this.action = steps.action;
    // The steps of each node, and their times.
    this.stepsOf = Array.from({length: this.hosts + 1}, () => []);
    this.host.forEach((host, step) => this.stepsOf[host].push(step));
    this.timesOf = this.stepsOf.map(
        (list) => Float64Array.from(list, (step) => this.at[step]));
  }

  readMessages(columns) {
    const sent = summed(columns.sent);
    this.messages = Array.from(sent, (step, i) => {
      const taken = columns.taken[i];
      return {
        sent: step,
        from: columns.from[i],
        to: columns.to[i],
        isDatagram: columns.datagram[i] === 1,
        kind: this.texts[columns.kind[i]],
        family: this.texts[columns.family[i]],
        text: columns.text[i],
        taken: Array.isArray(taken) ? taken : [taken],
      };
    });
  }

  readSpans(data) {
    const text = (number) => this.texts[number];
    this.roles = data.roles.map(([[begin, end], host, role, term]) =>
        ({begin, end, host, role: text(role), term}));
    this.pauses = data.pauses.map(([[begin, end], host]) => ({begin, end, host}));
    this.cuts = data.cuts.map(([[begin, end], what, links]) =>
        ({begin, end, text: text(what), links}));
    this.holds = data.holds.map(([[begin, end], key, host, token, cluster]) =>
        ({begin, end, key: text(key), host, token: text(token), cluster}));
    this.beliefs = data.beliefs.map(
        ([[begin, end], key, host, token, suspect, endedBy]) => ({
          begin, end, key: text(key), host, token: text(token),
          isSuspect: suspect === 1, endedBy: text(endedBy)}));
    this.waits = data.waits.map(([[begin, end], key, host, request, outcome]) =>
        ({begin, end, key: text(key), host, request, outcome: text(outcome)}));
    this.sortByHost();
    // Beliefs that outlast the run are shown to their end.
    const believed = this.beliefs.reduce((end, belief) => Math.max(end, belief.end), 0);
    this.horizon = Math.max(this.end * 1.02, Math.min(believed, this.end * 1.15));
    this.interventions = data.interventions.map(([at, host, what]) => ({at, host, text: text(what)}));
    this.keys = [...new Set(
        [...this.holds, ...this.beliefs, ...this.waits].map((span) => span.key))].sort();
  }

  sortByHost() {
    const byHost = (has) =>
        Array.from({length: this.hosts + 1}, (_, host) => has(host));
    this.rolesOf = byHost((host) => this.roles.filter((role) => role.host === host));
    this.pausesOf = byHost((host) => this.pauses.filter((pause) => pause.host === host));
    this.cutsOf = byHost((host) => this.cuts.filter(
        (cut) => cut.links.some(([from, to]) => from === host || to === host)));
    this.downsOf = byHost((host) => host === 0 ? [] : this.gapsIn(this.rolesOf[host]));
    this.downs = this.downsOf.flat();
  }

  // A machine without a role has no process.
  gapsIn(roles) {
    const gaps = [];
    let last = 0;
    for (const role of roles) {
      if (role.begin > last) gaps.push({begin: last, end: role.begin});
      last = Math.max(last, role.end);
    }
    if (last < this.end) gaps.push({begin: last, end: this.end});
    return gaps;
  }

  get stepCount() { return this.at.length; }

  // Undefined if the event of the step was not a message.
  messageOf(step) {
    const event = this.event[step];
    return event < 0 ? this.messages[-1 - event] : undefined;
  }

  // Empty for TimeAdvanced and TurnEnded.
  eventText(step) {
    const message = this.messageOf(step);
    if (message === undefined) return this.texts[this.event[step]];
    return `from n${message.from}: ${this.texts[message.text]}`;
  }

  decisionsOf(step) {
    const first = lowerBound(this.decisionStep, step);
    const end = lowerBound(this.decisionStep, step + 1);
    return this.decision.slice(first, end).map((number) => this.named(this.texts[number]));
  }

  // Texts and messages.
  actionsOf(step) {
    const first = lowerBound(this.actionStep, step);
    const end = lowerBound(this.actionStep, step + 1);
    return this.action.slice(first, end).map(
        (number) => number < 0 ? this.messages[-1 - number] : this.texts[number]);
  }

  // True if only time passed, and the node took no decision or action.
  isQuiet(step) {
    if (this.event[step] < 0 || this.texts[this.event[step]] !== "") return false;
    const has = (steps) => {
      const first = lowerBound(steps, step);
      return first < steps.length && steps[first] === step;
    };
    return !has(this.decisionStep) && !has(this.actionStep);
  }

  // Replaces the short node ids in decisions ("32b7d302") by names ("n1").
  named(text) {
    return text.replace(/\b[0-9a-f]{8}\b/g, (id) => {
      const host = this.names.get(id);
      return host === undefined ? id : `n${host} (${id})`;
    });
  }
}
