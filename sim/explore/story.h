#ifndef SIM_EXPLORE_STORY_H_
#define SIM_EXPLORE_STORY_H_

#include <ostream>

#include "sim/explore/beginning.h"
#include "sim/explore/choice.h"
#include "sim/explore/small_world.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// Replays `path` and writes it to `out`: one line for each choice, and below it
// the decisions and actions of the machine. Returns the violation at the end,
// if any. A choice that is not possible ends the replay with a complaint.
Complaint TellStory(SmallOptions options, Beginning beginning, const Path& path,
                    std::ostream& out);

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_STORY_H_
