#ifndef IO_SURVIVAL_TEXT_H_
#define IO_SURVIVAL_TEXT_H_

#include <string>

#include "engine/survival.h"

namespace cachalot {

// One line for people, with escaped names:
// "survives 0 more deaths: its only voter is n1".
std::string DescribeSurvival(const Survival& survival);

}  // namespace cachalot

#endif  // IO_SURVIVAL_TEXT_H_
