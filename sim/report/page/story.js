// The run in a few lines: faults and other interventions, leaders, lost beliefs,
// and the verdict.

const kStoryMax = 600;

function storyOf(run) {
  const story = [];
  const tell = (at, text, more = {}) => story.push({at, text, ...more});
  for (const intervention of run.interventions) {
    const who = intervention.host > 0 ? `n${intervention.host} ` : "";
    tell(intervention.at, who + intervention.text,
         {host: intervention.host, colour: intervention.host > 0 ? nodeColour(intervention.host) : "cut"});
  }
  for (const role of run.roles) {
    if (role.role !== "leader") continue;
    tell(role.begin, `n${role.host} leads, term ${role.term}`, {host: role.host, colour: "leader"});
  }
  for (const belief of run.beliefs) {
    if (belief.endedBy === "" || belief.endedBy === "released") continue;
    tell(belief.end, `n${belief.host} no longer believes in ${belief.key}: ${belief.endedBy}`,
         {host: belief.host, colour: nodeColour(belief.host)});
  }
  for (const row of lockRows(run)) {
    for (const {begin, hosts} of row.contested) {
      tell(begin, `n${hosts[0]} and n${hosts[1]} both believe to hold ${row.key}`,
           {host: hosts[1], alarm: true, colour: "alarm"});
    }
  }
  const failed = run.heading.failedStep;
  if (failed !== undefined) {
    tell(run.at[failed], "the violation", {alarm: true, colour: "alarm", step: failed});
  }
  story.sort((a, b) => a.at - b.at);
  return story;
}

// Of a long story only the end is shown, because failures are there.
function fillStory(list, run, lookAt) {
  const story = storyOf(run);
  const kept = story.slice(-kStoryMax);
  const items = kept.map((event) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const time = document.createElement("time");
    const text = document.createElement("span");
    time.textContent = stampText(event.at);
    text.textContent = event.text;
    text.style.setProperty("--colour", `var(--${event.colour ?? "line"})`);
    button.append(time, text);
    button.onclick = () => lookAt(event);
    item.append(button);
    item.classList.toggle("alarm", event.alarm === true);
    item.event = event;
    return item;
  });
  list.replaceChildren(...items);
}
