#ifndef SIM_EXPLORE_STORY_H_
#define SIM_EXPLORE_STORY_H_

#include <ostream>

#include "sim/explore/beginning.h"
#include "sim/explore/choice.h"
#include "sim/explore/small_world.h"
#include "sim/judge/complaint.h"

namespace cachalot::sim {

// Does again what `path` says and tells it to `out`, one line for each choice,
// and below it what the machine heard, thought and did. Returns what was broken
// in the end; a choice that the world does not offer ends it with a complaint.
Complaint TellStory(SmallOptions options, Beginning beginning, const Path& path,
                    std::ostream& out);

}  // namespace cachalot::sim

#endif  // SIM_EXPLORE_STORY_H_
