#include "sim/report/page/data.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "sim/world/instant.h"

namespace cachalot::sim {
namespace {

using nlohmann::json;

const char* RunVerdictName(RunVerdict verdict) {
  switch (verdict) {
    case RunVerdict::kPassed:
      return "passed";
    case RunVerdict::kExcused:
      return "excused";
    case RunVerdict::kFailed:
      return "failed";
  }
  return "?";
}

// Stores each text once and gives it a number.
class TextTable {
 public:
  size_t Number(const std::string& text) {
    const auto [found, is_new] = numbers_.try_emplace(text, texts_.size());
    if (is_new) texts_.push_back(text);
    return found->second;
  }
  json Take() { return std::move(texts_); }

 private:
  std::map<std::string, size_t> numbers_;
  json texts_ = json::array();
};

// Encodes ascending numbers as differences.
class Rising {
 public:
  void Add(int64_t value) {
    differences_.push_back(value - last_);
    last_ = value;
  }
  json Take() { return std::move(differences_); }

 private:
  int64_t last_ = 0;
  json differences_ = json::array();
};

class Encoder {
 public:
  explicit Encoder(const Recording& recording) : recording_(recording) {}

  json Encode();

 private:
  json Heading();
  json Steps();
  json Messages();
  json Spans();

  json Number(const std::string& text) { return texts_.Number(text); }
  static json Times(const RealSpan& span) {
    return {span.begin.nanoseconds(), span.end.nanoseconds()};
  }

  const Recording& recording_;
  TextTable texts_;
};

json Encoder::Encode() {
  json data = Spans();
  data["heading"] = Heading();
  data["hosts"] = recording_.host_count;
  data["end"] = recording_.end.nanoseconds();
  data["steps"] = Steps();
  data["messages"] = Messages();
  for (const auto& [name, host] : recording_.names) {
    data["names"].push_back({name, host.value()});
  }
  data["texts"] = texts_.Take();  // last: the others fill it
  return data;
}

json Encoder::Heading() {
  const sim::Heading& heading = recording_.heading;
  json encoded = {{"title", heading.title},
                  {"plan", heading.plan},
                  {"verdict", RunVerdictName(heading.verdict)},
                  {"sentence", heading.sentence},
                  {"figures", heading.figures}};
  if (heading.failed_step.has_value()) {
    encoded["failedStep"] = *heading.failed_step;
  }
  return encoded;
}

// A decision is (step, text), an action (step, text or, below zero, message).
json Encoder::Steps() {
  Rising at;
  Rising decision_step;
  Rising action_step;
  json host = json::array();
  json event = json::array();
  json decision = json::array();
  json action = json::array();
  for (size_t i = 0; i < recording_.steps.size(); ++i) {
    const RecordedStep& step = recording_.steps[i];
    const auto number = static_cast<int64_t>(i);
    at.Add(step.at.nanoseconds());
    host.push_back(step.host.value());
    if (step.message.has_value()) {
      event.push_back(-1 - static_cast<int64_t>(*step.message));
    } else {
      event.push_back(Number(step.event));
    }
    for (const std::string& text : step.decisions) {
      decision_step.Add(number);
      decision.push_back(Number(text));
    }
    for (const RecordedAction& order : step.actions) {
      action_step.Add(number);
      if (order.message.has_value()) {
        action.push_back(-1 - static_cast<int64_t>(*order.message));
      } else {
        action.push_back(Number(order.text));
      }
    }
  }
  return {{"at", at.Take()},
          {"host", std::move(host)},
          {"event", std::move(event)},
          {"decisionStep", decision_step.Take()},
          {"decision", std::move(decision)},
          {"actionStep", action_step.Take()},
          {"action", std::move(action)}};
}

json Encoder::Messages() {
  Rising sent;
  json columns = {{"from", json::array()},     {"to", json::array()},
                  {"datagram", json::array()}, {"kind", json::array()},
                  {"family", json::array()},   {"text", json::array()},
                  {"taken", json::array()}};
  for (const RecordedMessage& message : recording_.messages) {
    sent.Add(static_cast<int64_t>(message.sent));
    columns["from"].push_back(message.from.value());
    columns["to"].push_back(message.to.value());
    columns["datagram"].push_back(message.is_datagram ? 1 : 0);
    columns["kind"].push_back(Number(message.kind));
    columns["family"].push_back(Number(MessageFamilyName(message.family)));
    columns["text"].push_back(Number(message.text));
    // A number if the message arrived once, as nearly all do; otherwise a list.
    if (message.taken.size() == 1) {
      columns["taken"].push_back(message.taken.front());
    } else {
      columns["taken"].push_back(message.taken);
    }
  }
  columns["sent"] = sent.Take();
  return columns;
}

json Encoder::Spans() {
  json spans = {{"roles", json::array()},         {"pauses", json::array()},
                {"cuts", json::array()},          {"holds", json::array()},
                {"waits", json::array()},         {"beliefs", json::array()},
                {"interventions", json::array()}, {"names", json::array()}};
  for (const RoleSpan& role : recording_.roles) {
    spans["roles"].push_back({Times(role.span), role.host.value(),
                              Number(role.role), role.term.value()});
  }
  for (const PauseSpan& pause : recording_.pauses) {
    spans["pauses"].push_back({Times(pause.span), pause.host.value()});
  }
  for (const CutSpan& cut : recording_.cuts) {
    json links = json::array();
    for (const auto& [from, to] : cut.links) {
      links.push_back({from.value(), to.value()});
    }
    spans["cuts"].push_back({Times(cut.span), Number(cut.text), links});
  }
  for (const HoldSpan& hold : recording_.holds) {
    spans["holds"].push_back({Times(hold.span), Number(hold.key),
                              hold.holder.value(), Number(hold.token),
                              hold.cluster});
  }
  for (const BeliefRecord& belief : recording_.beliefs) {
    spans["beliefs"].push_back({Times(belief.span), Number(belief.key),
                                belief.holder.value(), Number(belief.token),
                                belief.is_suspect ? 1 : 0,
                                Number(belief.ended_by)});
  }
  for (const WaitSpan& wait : recording_.waits) {
    spans["waits"].push_back({Times(wait.span), Number(wait.key),
                              wait.host.value(), wait.request.value(),
                              Number(wait.outcome)});
  }
  for (const InterventionRecord& intervention : recording_.interventions) {
    spans["interventions"].push_back({intervention.at.nanoseconds(),
                                      intervention.host.value(),
                                      Number(intervention.text)});
  }
  return spans;
}

}  // namespace

std::string PageData(const Recording& recording) {
  const std::string text = Encoder(recording).Encode().dump(
      -1, ' ', false, json::error_handler_t::replace);
  return absl::StrReplaceAll(text, {{"<", "\\u003c"}});
}

}  // namespace cachalot::sim
